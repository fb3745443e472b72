"""A simulated STM32F412: core, flash controller and debug port, which stock pyOCD and OpenOCD take for a board."""
