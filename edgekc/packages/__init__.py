"""A compiled network to packages: folders and files as each environment's own tools take them."""
