"""A linked image to what it costs: flash and RAM by owner, stack, instructions, by layer."""
