"""Three ways to run a packed model, and the comparison between them."""
