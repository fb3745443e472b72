"""A running board to answers: frames over a line, and samples sent through them."""
