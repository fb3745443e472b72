"""boards/*/board.toml to checked, frozen boards: cores, memories, UARTs, and advice where a model does not fit."""
