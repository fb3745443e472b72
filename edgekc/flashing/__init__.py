"""Programs an image into a board by a tool that people have, reads it back, and words what went wrong."""
