"""Other people's .tflite files: which are taken, whether what comes out is right, and why the others are refused.

    python benchmarks/foreign_models.py DIR... [--samples N] [--json FILE]

Goes over every .tflite file below the folders, and inside the wheels, zip and tar archives there.
docs/foreign_models.md lists packages that hold such files. A quantised file that is taken is compiled, and the C runs N
samples on this machine: they must equal LiteRT's reference kernels byte for byte (`verify` without an emulator). A
float file is only checked: it has to be quantised first. Each file has a process of its own, and so much time. Files
of the same bytes count once.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import edgekc
from edgekc.importers.tflite import file as tflite
from edgekc.importers.tflite.float32 import is_float
from edgekc.importers.tflite.unsigned import computes
from edgekc.tables import Sheet, number, show, words

RESULT = Path(__file__).resolve().parent / "results" / "foreign_models.json"
BOARD = "linux-aarch64"  # of no limited memory
TIMEOUT_S = 300
LEAST_BYTES = 300  # below that a file holds no model
VERDICTS = ("right", "taken", "wrong", "refused", "damaged", "too slow", "fault")


@dataclass(frozen=True, slots=True)
class Row:
    """What became of a file.

    Attributes:
        kind: `int8`, `uint8`, `float`, `int16` (activations), or empty: it cannot be read.
        verdict: `right` (LiteRT gives the same bytes); `taken` (a float file that nothing stands in the way of, or a
            quantised one that LiteRT does not run: `why` says so); `wrong`; `refused`; `damaged`; `too slow`; `fault`.
        compile_s: CPU seconds from the file to C.
    """

    name: str
    sha256: str
    nbytes: int
    kind: str
    operators: dict[str, int]
    verdict: str
    why: tuple[str, ...]
    arena_bytes: int | None = None
    compile_s: float | None = None


def models(folder: Path) -> Iterator[tuple[str, bytes]]:
    """(name, content) of every .tflite file below a folder, archives included."""
    for path in sorted(folder.rglob("*") if folder.is_dir() else [folder]):
        name = path.name if path == folder else path.relative_to(folder).as_posix()
        if not path.is_file():
            continue
        if path.suffix == ".tflite":
            yield name, path.read_bytes()
        elif path.suffix in (".whl", ".zip") and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for item in archive.infolist():
                    if item.filename.endswith(".tflite"):
                        yield f"{name}/{item.filename}", archive.read(item)
        elif path.name.endswith((".tar.gz", ".tgz", ".tar")):
            with tarfile.open(path) as archive:
                for member in archive:
                    held = archive.extractfile(member) if member.name.endswith(".tflite") else None
                    if held is not None:
                        yield f"{name}/{member.name}", held.read()


def kind_of(data: bytes) -> tuple[str, dict[str, int]]:
    """What a file computes in, and how many it has of each operator; empty where it cannot be read."""
    try:
        model = tflite.read(data, "model")
    except edgekc.EdgekcError:
        return "", {}
    operators = dict(sorted(Counter(op.builtin for op in model.operators).items()))
    if is_float(model):
        return "float", operators
    if computes(model):
        return "uint8", operators
    inner = {model.tensors[i].dtype for op in model.operators for i in op.outputs}
    return ("int16" if "int16" in inner else "int8"), operators


def look(path: Path, samples: int) -> dict[str, Any]:
    """Verdict, reasons and figures of one file."""
    try:
        found = edgekc.check(path, board=BOARD)
        if found.obstacles:
            # The path is that of a temporary folder.
            return dict(verdict="refused", why=[str(o).replace(f"{path}: ", "") for o in found.obstacles])
        if found.stage == "float":
            return dict(verdict="taken", why=["float: quantise it first"])
        start = time.process_time()
        program = edgekc.compile(path, board=BOARD)
        figures = dict(arena_bytes=program.manifest["arena_bytes"], compile_s=round(time.process_time() - start, 2))
        verified = program.verify(samples=samples, device=False).to_dict()
    except edgekc.VerifyError as error:
        return dict(verdict="wrong", why=[str(error)])
    except edgekc.ModelError as error:
        return dict(verdict="damaged", why=[str(error).replace(f"{path}: ", "")])
    except edgekc.EdgekcError as error:
        return dict(verdict="fault", why=[str(error).replace(f"{path}: ", "")])
    if any("LiteRT" in oracle for oracle in verified["oracles"]):
        return dict(verdict="right", why=[], **figures)
    return dict(verdict="taken", why=list(verified["notes"]), **figures)


def row(name: str, data: bytes, samples: int) -> Row:
    """One file, in a process of its own: an interpreter that ends by itself ends nothing else."""
    kind, operators = kind_of(data)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(data)
        command = [sys.executable, __file__, str(path), "--one", "--samples", str(samples)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
            said = done.stdout.strip().splitlines()
            found = json.loads(said[-1]) if done.returncode == 0 else dict(
                verdict="fault", why=(done.stderr.strip().splitlines() or [""])[-1:]
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            found = dict(verdict="too slow", why=[f"more than {TIMEOUT_S} s"])
    found["why"] = tuple(found["why"])
    return Row(name, hashlib.sha256(data).hexdigest(), len(data), kind, operators, **found)


def summary(rows: list[Row]) -> dict[str, dict[str, int]]:
    """Files of each kind by verdict."""
    kinds = sorted({r.kind for r in rows})
    return {
        kind or "unread": {v: sum(r.kind == kind and r.verdict == v for r in rows) for v in VERDICTS} for kind in kinds
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="folders, .tflite files or archives")
    parser.add_argument("--samples", type=int, default=3, help="inputs that are compared")
    parser.add_argument("--json", type=Path, metavar="FILE", help=f"write the result, as {RESULT.name}")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(look(given.folders[0], given.samples)))
        return
    rows: dict[str, Row] = {}
    for folder in given.folders:
        for name, data in models(folder):
            key = hashlib.sha256(data).hexdigest()
            if len(data) < LEAST_BYTES or key in rows:
                continue
            rows[key] = row(name, data, given.samples)
            print(f"{rows[key].verdict:8} {rows[key].kind:6} {name}", file=sys.stderr, flush=True)
    found = sorted(rows.values(), key=lambda r: (r.kind, r.name))
    sheet = Sheet("foreign models", "file", "kind", "verdict", number("arena"), number("compile s"), words("why"))
    for r in found:
        why = f"{r.why[0][:150]}{f' (and {len(r.why) - 1} more)' if len(r.why) > 1 else ''}" if r.why else ""
        sheet.add(r.name, r.kind, r.verdict, str(r.arena_bytes or ""), str(r.compile_s or ""), why)
    took = [r.compile_s for r in found if r.compile_s is not None]
    totals = Sheet("files", "kind", *map(number, VERDICTS))
    for kind, counts in summary(found).items():
        totals.add(kind, *(str(counts[v]) for v in VERDICTS))
    median = statistics.median(took) if took else None
    said = [f"The median of {len(took)} compiles is {median} CPU seconds."] if took else []
    show([sheet, totals, *said])
    if given.json:
        result = {"summary": summary(found), "samples": given.samples, "compile_s_median": median}
        result["models"] = [asdict(r) for r in found]
        given.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
