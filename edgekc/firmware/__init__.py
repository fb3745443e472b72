"""A folder of C to a linked image for a board: compilers, startup, linker script, and what the ELF says."""
