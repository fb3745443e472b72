"""Requests of a debug tool to the answers of a simulated STM32F412: core, flash controller, debug and serial port."""
