"""The command line can do nothing that the Python interface cannot: each command beside the calls that do its work."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

import edgekc
from edgekc.cli.main import app
from edgekc.tables import Shown

pytestmark = pytest.mark.fast
COMMANDS: dict[str, Any] = dict(get_command(app).commands)  # type: ignore[attr-defined]
CLI = Path(edgekc.__file__).parent / "cli"

# Command -> the public calls that do all that it does.
CALLS: dict[str, tuple[str, ...]] = {
    "bench": ("bench",),
    "boards": ("list_boards", "load_board"),
    "build": ("open_program", "Program.build", "build_updatable"),
    "check": ("check",),
    "check-signature": ("check_update",),
    "compile": ("compile", "Program.save"),
    "compress": ("compress", "load_recipe", "Packed.save"),
    "demo": ("run_demo",),
    "diff": ("compare_builds",),
    "doctor": ("check_tools",),
    "evaluate": ("open_program", "Program.evaluate"),
    "export-onnx": ("export_onnx", "Exported.save"),
    "fit": ("find_boards",),
    "flash": ("open_program", "Program.flash", "Program.flash_commands", "updates_of"),
    "fuzz": ("fuzz",),
    "graph": ("draw_network", "Drawn.save"),
    "inject": ("inject",),
    "inspect": ("inspect",),
    "keygen": ("make_keys",),
    "measure": ("open_program", "Program.measure", "Costs.check", "Costs.ledger"),
    "mlperf": ("run_mlperf",),
    "new-app": ("new_app",),
    "report": ("make_report", "Report.save"),
    "run": ("open_program", "Program.run_on_board", "updates_of"),
    "search": ("search",),
    "sign": ("sign_update",),
    "simulate": ("simulate_board", "SimulatedBoard.serve"),
    "transfer": ("transfer",),
    "update": ("update_device",),
    "verify": ("compile", "open_program", "Program.verify"),
    "worker": ("work",),
}
# Options that reach the board: fields of edgekc.Way.
WAY = {"link", "probe", "tool", "port", "openocd_config", "tool_option", "no_flash", "timeout_s", "optimise"}
# What is printed, and where a record goes that Python holds already.
PRINTED = {"as_json", "verbose", "output", "dry_run", "show_all", "ledger"}
# Command -> option -> the parameter, where its name differs.
RENAMED: dict[str, dict[str, str]] = {
    "bench": {"fail_if_worse": "allowed_percent", "out": ""},  # Bench.written has the text of each kind of file
    "boards": {"name": "name_or_path"},
    "build": {"updates": "public_keys"},
    "compile": {"out": "folder", "package": "packages"},
    "compress": {"out": "path"},
    "evaluate": {"data": "x", "on_board": "device"},
    "fit": {"board": "boards"},
    "flash": {"updates": "public_keys"},
    "inspect": {"model": "source"},
    "keygen": {"key": "path"},
    "measure": {"max_flash": "max_flash_bytes", "max_ram": "max_ram_bytes", "clock": "clock_hz"},
    "mlperf": {"no_run": "run"},
    "new-app": {"out": "folder"},
    "report": {"no_verify": "verify", "no_network": "embed"},
    "run": {"data": "x", "updates": "public_keys", "out": "", "force": ""},  # BoardRun.outputs
    "update": {"file": "update"},
    "verify": {"no_device": "device"},
}
# Modules that a command may import beside edgekc/api/, and what for.
BESIDE = {
    "errors": "what is wrong with an option",
    "terminal": "printing",
    "tables": "printing",
    "progress": "printing nothing",
    "train.bars": "progress",
    "train.processes": "which of several processes prints",
    "names": "the default of an option",
    "figures": "an option's words to a number",
    "measure.cycles.speed": "an option's words to a number",
    "measure.matrix": "an option's words to a number",
    "files.output": "writing what a record holds",
    "measure.report": "Costs.ledger as a table",
    "console.session": "edgekc.Way",
    "boards.board": "edgekc.load_board",
    "demo.walk": "edgekc.run_demo",
    "fuzzing.session": "edgekc.fuzz",
    "assets": "completion in the shell",
    "packages": "completion in the shell",
    "apps": "completion in the shell",
    "firmware.build": "types",
}
# Of edgekc/api/, what is called before long work, so that it is not in vain; the work itself checks it again.
EARLY = {"check_program_folder", "check_packed_path", "check_onnx_file", "check_drawing_file", "check_report_file"}
PARTS = {"FORMATS", "DEFAULT_BOARD", "with_updates"}  # constants, and updates_of into a Way


def public(path: str) -> Callable[..., Any]:
    name, _, method = path.partition(".")
    assert name in edgekc.__all__, f"{name} is not public"
    found = getattr(edgekc, name)
    return getattr(found, method) if method else found


def imported(file: Path) -> Iterator[tuple[str, str]]:
    """Modules of edgekc outside of cli/, without the package's name, and what is imported from each."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 2:
            for alias in node.names:
                yield (node.module, alias.name) if node.module else (alias.name, "")


def test_every_command_has_its_calls() -> None:
    assert sorted(CALLS) == sorted(COMMANDS), "a command without a call in Python, or the other way round"
    for calls in CALLS.values():
        for call in calls:
            assert inspect.isfunction(public(call)), call


@pytest.mark.parametrize("name", CALLS)
def test_every_option_is_a_parameter(name: str) -> None:
    known = {parameter for call in CALLS[name] for parameter in inspect.signature(public(call)).parameters}
    if "way" in known or "updates_of" in CALLS[name]:
        known |= WAY
    renamed = RENAMED.get(name, {})
    options = {parameter.name for parameter in COMMANDS[name].params} - PRINTED
    assert set(renamed) <= options, "no option is called so any more"
    assert {o for o in options if renamed.get(o, o) and renamed.get(o, o) not in known} == set()


@pytest.mark.parametrize("file", sorted(CLI.glob("*.py")), ids=lambda file: file.stem)
def test_commands_import_the_interface_and_what_prints(file: Path) -> None:
    if file.stem in ("main", "__init__"):  # errors and exit codes, which are the shell's
        return
    wrong = []
    for module, name in imported(file):
        if module.startswith("api."):
            here = public(name) if name in edgekc.__all__ else None
            wrong += [] if here is not None or name in EARLY | PARTS else [f"{module}.{name} is not public"]
        elif module not in BESIDE:
            wrong.append(f"{module} is not the Python interface")
    assert wrong == []


def records() -> Iterator[tuple[str, type]]:
    """What public functions and methods return, of edgekc's own types."""
    for name in edgekc.__all__:
        value = getattr(edgekc, name)
        called = [(name, value)] if inspect.isfunction(value) else []
        if inspect.isclass(value) and not issubclass(value, Exception):
            called += [(f"{name}.{k}", v) for k, v in vars(value).items() if k[0] != "_" and inspect.isfunction(v)]
        for path, function in called:
            if path.rpartition(".")[2] in ("parts", "table"):  # lines and tables, for those who print
                continue
            hint = function.__annotations__.get("return", "None")
            names = {node.id for node in ast.walk(ast.parse(hint)) if isinstance(node, ast.Name)}
            space = vars(inspect.getmodule(function))
            for kind in names - {"None"}:
                found = space.get(kind) or getattr(edgekc, kind, None) or getattr(typing, kind, None)
                if inspect.isclass(found) and found.__module__.startswith("edgekc"):
                    yield path, found


def test_what_is_returned_is_public_frozen_and_shown() -> None:
    found = {kind: path for path, kind in records()}
    assert len(found) > 25
    assert {kind.__name__: path for kind, path in found.items() if kind.__name__ not in edgekc.__all__} == {}
    # A recipe and the keys of a program are given back to edgekc; a program keeps what it has built.
    shown = set(found) - {edgekc.Recipe, edgekc.Updates, edgekc.Program}
    for kind in shown:
        assert issubclass(kind, Shown) and callable(getattr(kind, "to_dict", None)), kind
        assert dataclasses.is_dataclass(kind) and kind.__dataclass_params__.frozen, kind  # type: ignore[attr-defined]


def test_a_simulated_board_answers_and_ends() -> None:
    pytest.importorskip("unicorn", reason="unicorn is not installed")
    import socket

    with edgekc.simulate_board(device_id=0x413) as board:
        assert len(set(board.to_dict().values())) == 4 and board.openocd_config.is_file()
        assert f"localhost:{board.port}" in str(board)
        with socket.create_connection(("127.0.0.1", board.port), timeout=20) as line:
            line.sendall(b'{"id": 3, "request": "readprop", "arguments": ["product_name"]}\n')
            assert b"simulated STM32F412" in line.makefile("rb").readline()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", board.port), timeout=5)
