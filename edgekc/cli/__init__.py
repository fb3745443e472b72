"""Words of the command line to calls of what does the work: one subcommand a file, no logic."""
