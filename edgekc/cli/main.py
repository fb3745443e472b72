"""The command `edgekc`: its subcommands, and how errors become exit codes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

import typer

from .. import __version__
from ..assets import BOARDS, CODEGEN, RUNTIME_C
from ..errors import EdgekcError
from ..files.stopping import orderly_stop
from ..names import visible
from ..terminal import accept_any_text, say
from .boards import boards
from .build import build
from .compile import compile_
from .compress import compress
from .demo import demo
from .diff import diff
from .doctor import doctor
from .fit import fit
from .flash import flash
from .inspect import inspect
from .measure import measure
from .run import run as run_command
from .simulate import simulate
from .transfer import transfer
from .verify import verify

_OURS = (BOARDS, CODEGEN, RUNTIME_C, Path(__file__).resolve().parents[1])

app = typer.Typer(
    name="edgekc",
    help="Trained CNNs to small, bit-exact C99 for Arm Cortex-M and Cortex-A.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command(name="demo")(demo)
app.command(name="compile")(compile_)
app.command(name="compress")(compress)
app.command(name="build")(build)
app.command(name="flash")(flash)
app.command(name="run")(run_command)
app.command(name="simulate")(simulate)
app.command(name="transfer")(transfer)
app.command(name="verify")(verify)
app.command(name="measure")(measure)
app.command(name="diff")(diff)
app.command(name="fit")(fit)
app.command(name="inspect")(inspect)
app.command(name="boards")(boards)
app.command(name="doctor")(doctor)


def _version(value: bool) -> None:
    if value:
        say(f"edgekc {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


def run() -> None:
    """Entry point. Exit codes: 0 success, 1 our own fault (with a traceback), 2 the user's input, 130 Ctrl-C."""
    accept_any_text()
    try:
        with orderly_stop():
            app()
    except EdgekcError as error:
        _fail(str(error))
    except OSError as error:
        # A file of the user's that cannot be read or written, or a full disk. A file of ours that is
        # missing, or an OSError that no system call gave (a template not found), is our own fault.
        if error.errno is None or any(folder in Path(str(error.filename)).absolute().parents for folder in _OURS):
            raise
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror))


def _fail(what: str) -> NoReturn:
    """One line, whatever characters a file's name or a model's strings have."""
    print(f"edgekc: error: {visible(' '.join(what.split()))}", file=sys.stderr)
    sys.exit(2)
