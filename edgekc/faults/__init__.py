"""A program on an emulated core, with wrong bits, lost RAM and resets, to what noticed them, or that nothing did."""
