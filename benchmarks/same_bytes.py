"""Hashes of all that edgekc writes, over models and boards, to prove that a change of its own files changes none of it.

    python benchmarks/same_bytes.py --models ../shared/models --data ../shared/data --write before.json   # old checkout
    python benchmarks/same_bytes.py --models ../shared/models --data ../shared/data --against before.json # new one

Written are: each model compiled for each board; the kernel networks of the compiler matrix for each core; the demo's
firmware for each board, and its console over each line that the board has; models compressed by recipes that do not
train. The first difference of each kind is named, and the exit code is 1. Run it with the same compilers and packages.
`--boards A,B` is a quick look at a change: models and firmware of these boards, no kernel networks and no recipes.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), *(str(ROOT / "tests" / room) for room in ("", "cross", "ops"))]
BOARDS = sorted(path.parent.name for path in (ROOT / "boards").glob("*/board.toml"))
DEMO = next((ROOT / "edgekc").rglob("digits_int8.tflite"))
RECIPES = ("", "cluster4", "templates16")  # none: int8 by calibration alone
# They say on which lines things stand, and firmware.json lists their hashes; the image beside them is compared.
PLACED = (".o", ".su", ".elf", ".map")
Hashes = dict[str, str]


def named(*modules: str) -> Any:
    """The first module that this checkout has."""
    for name in modules:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if not name.startswith(str(error.name)):
                raise
    raise SystemExit(f"none of {', '.join(modules)} is here")


def command(*words: object) -> str:
    """Runs a subcommand here; empty, or the error that it ended with."""
    from edgekc.cli.main import app
    from edgekc.errors import EdgekcError

    try:
        app([str(word) for word in words], standalone_mode=False)
    except EdgekcError as error:
        return str(error)
    return ""


def files_of(folder: Path, name: str, error: str = "") -> Hashes:
    """The hash of each file below the folder; of the error where there is one."""
    if error:
        return {
            f"{name}: error": _hash(re.sub(r"/\S*(edgekc-same-|/cc)\w+", "WORK", error.replace(str(ROOT), "")).encode())
        }
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    found = (path for path in found if path.suffix not in PLACED and path.name != "firmware.json")
    return {f"{name}: {path.relative_to(folder)}": _hash(path.read_bytes()) for path in found}


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# ---- what is written ----


def compiled(model: Path, board: str) -> Hashes:
    with tempfile.TemporaryDirectory(prefix="edgekc-same-") as work:
        out = Path(work) / "out"
        error = command("compile", model, "-o", out, "--board", board, "--name", "net", "--keep", Path(work) / "stages")
        return files_of(Path(work), f"{model.name} on {board}", error)


def kernels(model: str, core: str) -> Hashes:
    import compiler_matrix

    with tempfile.TemporaryDirectory(prefix="edgekc-same-") as work:
        compiler_matrix.case_of(model, core, Path(work))
        return files_of(Path(work), f"{model} on {core}")


def firmware(board: str) -> Hashes:
    """The demo's program, and its console; the link decides which of our files are in it."""
    build = named("edgekc.firmware.build", "edgekc.build")
    load_board = named("edgekc.boards.board", "edgekc.board").load_board
    from edgekc.errors import EdgekcError

    hashes: Hashes = {}
    with tempfile.TemporaryDirectory(prefix="edgekc-same-") as work:
        out = Path(work) / "out"
        if error := command("compile", DEMO, "-o", out, "--board", board, "--name", "net"):
            return files_of(Path(work), f"firmware for {board}", error)
        hashes |= files_of(out, f"firmware for {board}", command("build", out))
        for link in ("rtt", "uart", "semihosting", "stdio"):
            made = Path(work) / link
            try:
                build.build_image(out, load_board(board), made, link=link)
            except EdgekcError as error:
                hashes |= files_of(made, f"console for {board} over {link}", str(error))
                continue
            ours = {path for path in made.rglob("*") if path.suffix in (".c", ".ld")}
            hashes |= {f"console for {board} over {link}: {p.name}": _hash(p.read_bytes()) for p in sorted(ours)}
    return hashes


def compressed(model: Path, recipe: str, data: Path) -> Hashes:
    """`data`: an .npz whose x is int8; the model is given its numbers as they are."""
    with tempfile.TemporaryDirectory(prefix="edgekc-same-") as work, np.load(data) as samples:
        out, real = Path(work) / "out.ekc", Path(work) / "real.npz"
        np.savez(real, x=samples["x"].astype(np.float32))
        chosen = ("--recipe", ROOT / "examples" / "recipes" / f"{recipe}.toml") if recipe else ()
        error = command("compress", model, "-o", out, "--data", real, *chosen)
        assert not error, error
        return files_of(out.parent, f"{model.name} by {recipe or 'no recipe'}")


Job = tuple[Callable[..., Hashes], tuple[Any, ...]]


def jobs(models: Path | None, data: Path | None, boards: list[str]) -> Iterator[Job]:
    import compiler_matrix

    paths = [DEMO, *sorted((ROOT / "examples" / "models").glob("*.ekc"))]
    paths += sorted((ROOT / "tests" / "data" / "converter").glob("*.tflite"))
    paths += sorted(models.glob("*_int8.tflite")) if models else []
    if models and data and boards == BOARDS:
        yield from ((compressed, (models / "kws_float.tflite", recipe, data / "kws01.npz")) for recipe in RECIPES)
    if boards == BOARDS:
        yield from ((kernels, (model, core)) for model in compiler_matrix.KERNELS for core in compiler_matrix.CORES)
    yield from ((firmware, (board,)) for board in boards)
    yield from ((compiled, (path, board)) for path in paths for board in boards)


def _do(job: Job) -> Hashes:
    import contextlib
    import io

    with contextlib.redirect_stdout(io.StringIO()):
        return job[0](*job[1])


def differences(before: Hashes, after: Hashes) -> list[str]:
    """One line for each thing that is not the same."""
    words = dict.fromkeys(after.keys() - before.keys(), "is new")
    words |= dict.fromkeys(before.keys() - after.keys(), "is gone")
    words |= {name: "differs" for name in before.keys() & after.keys() if before[name] != after[name]}
    return [f"{name} {word}" for name, word in sorted(words.items())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, help="folder of the MLPerf Tiny models")
    parser.add_argument("--data", type=Path, help="folder with kws01.npz")
    parser.add_argument("--boards", default=",".join(BOARDS), help="names, with commas; the same in both checkouts")
    parser.add_argument("--jobs", type=int, default=2)
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--write", type=Path, metavar="FILE")
    group.add_argument("--against", type=Path, metavar="FILE")
    chosen = parser.parse_args()
    hashes: Hashes = {}
    with ProcessPoolExecutor(chosen.jobs) as pool:
        for found in pool.map(_do, list(jobs(chosen.models, chosen.data, chosen.boards.split(",")))):
            hashes |= found
    if chosen.write:
        chosen.write.write_text(json.dumps(hashes, indent=0, sort_keys=True))
        print(f"{len(hashes):,} files")
        return
    different = differences(json.loads(chosen.against.read_text()), hashes)
    shown: dict[str, str] = {}  # the first of each kind
    for line in different:
        shown.setdefault(re.sub(r"^.*(?=: )", "", line), line)
    print("\n".join(shown.values()))
    print(f"{len(hashes):,} files, {len(different):,} not the same")
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
