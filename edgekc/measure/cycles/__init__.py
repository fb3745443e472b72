"""Turns blocks of executed code into estimated cycles of a core, with the range that is not known."""
