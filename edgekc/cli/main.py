"""The command `edgekc`: its subcommands, and how errors become exit codes."""

from __future__ import annotations

import sys

import typer

from .. import __version__
from ..errors import EdgekcError
from .boards import boards
from .compile import compile_
from .demo import demo
from .doctor import doctor
from .inspect import inspect
from .measure import measure
from .verify import verify

app = typer.Typer(
    name="edgekc",
    help="Trained CNNs to small, bit-exact C99 for Arm Cortex-M and Cortex-A.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command(name="demo")(demo)
app.command(name="compile")(compile_)
app.command(name="verify")(verify)
app.command(name="measure")(measure)
app.command(name="inspect")(inspect)
app.command(name="boards")(boards)
app.command(name="doctor")(doctor)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"edgekc {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


def run() -> None:
    """Entry point. Exit codes: 0 success, 1 our own fault (with a traceback), 2 the user's input."""
    try:
        app()
    except EdgekcError as error:
        print(f"edgekc: error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:  # a file that cannot be read or written
        print(f"edgekc: error: {error.strerror or error}: {error.filename or ''}".rstrip(": "), file=sys.stderr)
        sys.exit(2)
