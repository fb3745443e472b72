"""The demo: a digit classifier and test images that come with the package."""
