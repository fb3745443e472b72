"""edgekc: trained CNNs to small, bit-exact C99 for small Arm devices.

    import edgekc

    model = edgekc.load("net.tflite")
    packed = edgekc.compress(model, data="samples.npz", recipe="cluster4")
    program = edgekc.compile(packed, board="nucleo-f446re", name="kws")
    assert program.verify(samples=16).ok
    print(program.measure())
    program.save("out")

A model that is quantised already goes straight to `compile`. Everything named here is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from . import errors as errors
from .errors import (
    BoardError,
    CapacityError,
    EdgekcError,
    FlashError,
    FormatError,
    ModelError,
    ToolError,
    UnsupportedError,
    UsageError,
    VerifyError,
)

if TYPE_CHECKING:
    from .api.apps import Project, new_app
    from .api.benching import Bench, bench
    from .api.boards import Boards, Fits, Tools, check_tools, find_boards, list_boards
    from .api.builds import Difference, Inspection, compare_builds, inspect
    from .api.checking import Check, CheckedOperator, Obstacle, check
    from .api.compiling import compile, open_program
    from .api.exports import Drawn, Exported, draw_network, export_onnx
    from .api.injecting import Injection, inject
    from .api.mlperf import Mlperf, MlperfRow, run_mlperf
    from .api.model import Model, load
    from .api.packed import Packed, compress, list_recipes, load_recipe, transfer
    from .api.program import Program
    from .api.reporting import Report, make_report
    from .api.results import Built, Costs, Evaluation, LayerCosts, Verification
    from .api.searching import Search, Trials, search, work
    from .api.simulating import SimulatedBoard, simulate_board
    from .api.updatable import Installed, build_updatable, update_device, updates_of
    from .api.updates import KeyPair, Update, check_update, make_keys, network_of, sign_update
    from .boards.board import Board, load_board
    from .console.session import BoardRun, Way
    from .demo.walk import DEMO_DATA, run_demo
    from .firmware.updates import Updates
    from .flashing.run import Flashed
    from .fuzzing.session import fuzz
    from .fuzzing.summary import Fuzzed
    from .judgement import Judgement
    from .paired import Paired
    from .recipe import Recipe
    from .study.trials import Trial

__version__ = "0.1.0"

__all__ = [
    "DEMO_DATA",
    "Bench",
    "Board",
    "BoardError",
    "BoardRun",
    "Boards",
    "Built",
    "CapacityError",
    "Check",
    "CheckedOperator",
    "Costs",
    "Difference",
    "Drawn",
    "EdgekcError",
    "Evaluation",
    "Exported",
    "Fits",
    "FlashError",
    "Flashed",
    "FormatError",
    "Fuzzed",
    "Injection",
    "Inspection",
    "Installed",
    "Judgement",
    "KeyPair",
    "LayerCosts",
    "Mlperf",
    "MlperfRow",
    "Model",
    "ModelError",
    "Obstacle",
    "Packed",
    "Paired",
    "Program",
    "Project",
    "Recipe",
    "Report",
    "Search",
    "SimulatedBoard",
    "ToolError",
    "Tools",
    "Trial",
    "Trials",
    "UnsupportedError",
    "Update",
    "Updates",
    "UsageError",
    "Verification",
    "VerifyError",
    "Way",
    "__version__",
    "bench",
    "build_updatable",
    "check",
    "check_tools",
    "check_update",
    "compare_builds",
    "compile",
    "compress",
    "draw_network",
    "errors",
    "export_onnx",
    "find_boards",
    "fuzz",
    "inject",
    "inspect",
    "list_boards",
    "list_recipes",
    "load",
    "load_board",
    "load_recipe",
    "make_keys",
    "make_report",
    "network_of",
    "new_app",
    "open_program",
    "run_demo",
    "run_mlperf",
    "search",
    "sign_update",
    "simulate_board",
    "transfer",
    "update_device",
    "updates_of",
    "work",
]

# Where each name is that is not here yet.
_PLACES = {
    "api.apps": ("Project", "new_app"),
    "api.benching": ("Bench", "bench"),
    "api.boards": ("Boards", "Fits", "Tools", "check_tools", "find_boards", "list_boards"),
    "api.builds": ("Difference", "Inspection", "compare_builds", "inspect"),
    "api.checking": ("Check", "CheckedOperator", "Obstacle", "check"),
    "api.compiling": ("compile", "open_program"),
    "api.exports": ("Drawn", "Exported", "draw_network", "export_onnx"),
    "api.injecting": ("Injection", "inject"),
    "api.mlperf": ("Mlperf", "MlperfRow", "run_mlperf"),
    "api.model": ("Model", "load"),
    "api.packed": ("Packed", "compress", "list_recipes", "load_recipe", "transfer"),
    "api.program": ("Program",),
    "api.reporting": ("Report", "make_report"),
    "api.results": ("Built", "Costs", "Evaluation", "LayerCosts", "Verification"),
    "api.searching": ("Search", "Trials", "search", "work"),
    "api.simulating": ("SimulatedBoard", "simulate_board"),
    "api.updatable": ("Installed", "build_updatable", "update_device", "updates_of"),
    "api.updates": ("KeyPair", "Update", "check_update", "make_keys", "network_of", "sign_update"),
    "boards.board": ("Board", "load_board"),
    "console.session": ("BoardRun", "Way"),
    "demo.walk": ("DEMO_DATA", "run_demo"),
    "firmware.updates": ("Updates",),
    "flashing.run": ("Flashed",),
    "fuzzing.session": ("fuzz",),
    "fuzzing.summary": ("Fuzzed",),
    "judgement": ("Judgement",),
    "paired": ("Paired",),
    "recipe": ("Recipe",),
    "study.trials": ("Trial",),
}
_PLACE = {name: module for module, names in _PLACES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _PLACE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_PLACE[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
