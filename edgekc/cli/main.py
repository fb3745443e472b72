"""The command `edgekc`: its subcommands, and how errors become exit codes."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import typer

from .. import __version__
from ..assets import BOARDS, CODEGEN, RUNTIME_C
from ..errors import EdgekcError, ObstaclesError
from ..files.stopping import orderly_stop
from ..names import visible
from ..terminal import accept_any_text, say
from . import (
    bench,
    boards,
    build,
    check,
    check_signature,
    compile,
    compress,
    demo,
    diff,
    doctor,
    evaluate,
    export_onnx,
    fit,
    flash,
    fuzz,
    graph,
    inject,
    inspect,
    keygen,
    measure,
    mlperf,
    new_app,
    report,
    search,
    sign,
    simulate,
    transfer,
    update,
    verify,
    worker,
)
from . import run as run_command
from .guide import GUIDE

_OURS = (BOARDS, CODEGEN, RUNTIME_C, Path(__file__).resolve().parents[1])

# Headings of the help, with the file and the function of each command below them.
_COMMANDS: tuple[tuple[str, tuple[tuple[ModuleType, Callable[..., None]], ...]], ...] = (
    ("From a model", ((demo, demo.demo), (check, check.check), (compile, compile.compile_),
                      (compress, compress.compress), (search, search.search), (worker, worker.worker),
                      (transfer, transfer.transfer), (fit, fit.fit), (bench, bench.bench),
                      (inspect, inspect.inspect), (graph, graph.graph), (export_onnx, export_onnx.export_onnx),
                      (new_app, new_app.new_app))),
    ("With a compiled folder", ((verify, verify.verify), (evaluate, evaluate.evaluate), (measure, measure.measure),
                                (inject, inject.inject), (diff, diff.diff), (report, report.report))),
    ("With a board", ((boards, boards.boards), (build, build.build), (flash, flash.flash),
                      (run_command, run_command.run), (mlperf, mlperf.mlperf),
                      (simulate, simulate.simulate))),
    ("With devices in the field", ((keygen, keygen.keygen), (sign, sign.sign),
                                   (check_signature, check_signature.check_signature), (update, update.update))),
    ("This machine", ((doctor, doctor.doctor), (fuzz, fuzz.fuzz))),
)  # fmt: skip

_BY_NAME = {
    module.__name__.rpartition(".")[2].replace("_", "-"): (panel, module, function)
    for panel, group in _COMMANDS
    for module, function in group
}


def _paragraphs(text: str | None) -> str:
    """A docstring whose lines the terminal may break where it likes."""
    return "\n\n".join(" ".join(part.split()) for part in (text or "").split("\n\n"))


def _version(value: bool) -> None:
    if value:
        say(f"edgekc {__version__}")
        raise typer.Exit


def _root(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    if context.invoked_subcommand is None:
        for line in GUIDE:
            say(line)
        raise typer.Exit(2)


def _with(names: Iterable[str]) -> typer.Typer:
    """The command with the subcommands of these names."""
    made = typer.Typer(
        name="edgekc",
        help="Trained CNNs to small, bit-exact C99 for Arm Cortex-M and Cortex-A.",
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
    )
    made.callback(invoke_without_command=True)(_root)
    for name in names:
        panel, module, function = _BY_NAME[name]
        made.command(
            name=name,
            help=_paragraphs(function.__doc__),
            epilog="\n\n".join(("Examples:", *(f"$ {line}" for line in module.EXAMPLES))),
            rich_help_panel=panel,
        )(function)
    return made


app = _with(_BY_NAME)


def run() -> None:
    """Entry point. Exit codes: 0 success, 1 our own fault (with a traceback), 2 the user's input, 130 Ctrl-C."""
    # Commands load hundreds of modules, which a collector would walk again and again, and throw nothing away.
    gc.set_threshold(50_000, 20, 20)
    accept_any_text()
    try:
        with orderly_stop():
            # typer looks at each parameter of what it is given; those of all subcommands take a tenth of the start.
            word = sys.argv[1:2]
            _with(word if word and word[0] in _BY_NAME else _BY_NAME)()
    except ObstaclesError as error:
        _fail(f"{len(error.obstacles)} obstacles:", *map(str, error.obstacles))
    except EdgekcError as error:
        _fail(str(error))
    except OSError as error:
        # A file of the user's that cannot be read or written, or a full disk. A file of ours that is
        # missing, or an OSError that no system call gave (a template not found), is our own fault.
        if error.errno is None or any(folder in Path(str(error.filename)).absolute().parents for folder in _OURS):
            raise
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror))


def _fail(what: str, *each: str) -> NoReturn:
    """A line, and one for each of several; whatever characters a file's name or a model's strings have."""
    lines = [f"edgekc: error: {what}", *each]
    print("\n  ".join(visible(" ".join(line.split())) for line in lines), file=sys.stderr)
    sys.exit(2)
