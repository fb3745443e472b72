"""The command line: one subcommand per file, no logic."""
