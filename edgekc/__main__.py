"""`python -m edgekc`: the command, also for launchers that start modules, such as torchrun."""

from .cli.main import run

run()
