"""An image to the flash of a board, by a tool that people have: read back, and what went wrong in words."""
