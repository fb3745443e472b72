"""A digit classifier and test images, which come with the package, to firmware that is checked and measured."""
