"""Planted bugs, and how fast `edgekc fuzz` finds each: mutants of kernels, lowerings, passes and the planner.

    python benchmarks/fuzz_mutants.py [--seconds 120] [--only NAME ...] [--json]

Each mutant is one change of one line in a copy of the tree, where `edgekc fuzz` then runs by its usual options until it
finds a difference or the time is up. Compiled kernels are kept between runs, so only the changed ones are compiled
anew. Needs a checkout, gcc or clang, and the extra `fuzz`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULT = Path(__file__).resolve().parent / "results" / "fuzz_mutants.json"
COPIED = ("edgekc", "runtime_c", "codegen", "boards", "examples")
SEED = 1
PORTABLE, LINEAR = "runtime_c/kernels/portable", "edgekc/ops/shared/linear.py"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one line. `what`: in words."""

    name: str
    file: str
    before: str
    after: str
    what: str


MUTANTS = (
    Mutant("add-broadcast", f"{PORTABLE}/ek_add_s8.c", "*vy = y + o * p->y_outer + m * p->y_mid",
           "*vy = y + o * p->y_outer + m * p->x_mid", "the second operand steps as the first"),
    Mutant("max-pool-start", f"{PORTABLE}/ek_max_pool_s8.c", "largest = p->act_min;", "largest = 0;",
           "maxima start at 0"),
    Mutant("average-half", f"{PORTABLE}/ek_average_pool_s8.c", "half = count / 2", "half = (count - 1) / 2",
           "means of even counts round down"),
    Mutant("softmax-steps", f"{PORTABLE}/ek_softmax_s8.c", "step < 3; step++", "step < 1; step++",
           "one Newton step instead of three"),
    Mutant("copy-step", f"{PORTABLE}/ek_strided_copy_s8.c", "if (step == 1) {", "if (step >= 1) {",
           "strides above 1 are copied whole"),
    Mutant("output-clamp", f"{PORTABLE}/ek_output_s8.c", "o->out_zero), o->act_min,", "o->out_zero), -128,",
           "a fused activation has no lower end"),
    Mutant("mean-clamp", f"{PORTABLE}/ek_mean_s8.c", "p->out_zero, -128, 127)", "p->out_zero, -127, 127)",
           "the lowest level is never reached"),
    Mutant("depthwise-channel", f"{PORTABLE}/ek_depthwise_s8.c", "ring.window, out);\n            } else",
           "ring.window, out + 0 * p->window.in_c);\n                out[0] = 0;\n            } else",
           "the first channel is lost"),
    Mutant("clustered-bias", f"{PORTABLE}/ek_clustered_conv2d_s8.c", "p->bias[c], acc", "p->bias[0], acc",
           "clustered filters share the first bias"),
    Mutant("template-last", f"{PORTABLE}/ek_template_conv2d_s8.c", "    if (held) {", "    if (held > 1) {",
           "a last pixel alone is not computed"),
    Mutant("ring-overrun", f"{PORTABLE}/ek_ring.h", "room < in_row_bytes ? room : in_row_bytes;", "in_row_bytes;",
           "rows are copied beyond their room"),
    Mutant("wide-rows", f"{PORTABLE}/ek_conv2d_s16.c", "rows.first * row + columns.first * depth",
           "rows.first * row", "16x8 filters start at the first column at the left edge"),
    Mutant("helium-rest", "runtime_c/kernels/mve/ek_add_s8_mve.c", "if (left) {", "if (left > 1) {",
           "a last value alone is left out"),
    Mutant("dsp-rest", "runtime_c/kernels/dsp/ek_average_pool_s8_dsp.c", "for (; c < channels; c++) {",
           "for (; c + 1 < channels; c++) {", "the last channel of odd counts is left out"),
    Mutant("vector-dilation", "runtime_c/kernels/vec/ek_conv2d_s8_vec.c", "i % split * p->window.dilation_w * ic",
           "i % split * ic", "dilated windows are read as dense ones"),
    Mutant("mul-zero", "edgekc/ops/mul.py", "attrs.update(out_zero=view.out.q.zero_point",
           "attrs.update(out_zero=view.x.q.zero_point", "the lowering takes the input's zero point"),
    Mutant("prelu-zero", "edgekc/ops/prelu.py", "alpha_zero=alpha.q.zero_point", "alpha_zero=0",
           "the lowering forgets the slopes' zero point"),
    Mutant("bias-sum", LINEAR, "(bias - zero * weight_sums)", "(bias - zero * weight_abs_sums)",
           "the zero point is folded by absolute weights"),
    Mutant("mean-zero", "edgekc/ops/mean.py", 'attrs["in_zero"] = view.x.q.zero_point',
           'attrs["in_zero"] = view.out.q.zero_point', "the lowering takes the output's zero point"),
    Mutant("relu-fold", "edgekc/passes/fold_activations.py", "len(consumers(graph)[before.name]) == 1 and",
           "len(consumers(graph)[before.name]) >= 1 and", "a clamp is folded though others read its input"),
    Mutant("pad-fold", "edgekc/passes/fold_pads.py", "zip(_WINDOW_PADS, amounts[2:6]",
           "zip(_WINDOW_PADS, amounts[2:4] + amounts[2:4]", "folded padding of columns is that of rows"),
    Mutant("concat-split", "edgekc/passes/split_concats.py", "parts[first : first + width] = [joined]",
           "parts[:width] = [joined]", "joined inputs change their order"),
    Mutant("table-readers", "edgekc/passes/fuse_tables.py", "len(readers[name]) != 1 or ", "",
           "tables are fused though others read between them"),
    Mutant("lifetimes", "edgekc/generate/plan.py", "last * times + times - 1)", "max(first, last - 1) * times)",
           "buffers are free a step too early"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """What `edgekc fuzz` said of a mutant.

    Attributes:
        seconds: until it was found, and `all_seconds` with starting the command and making the finding small.
        networks: that were compared until then.
        layers: of the small network.
    """

    name: str
    file: str
    before: str
    after: str
    what: str
    found: bool
    side: str
    seconds: float | None
    all_seconds: float
    networks: int
    layers: int
    finding: str


def planted(mutant: Mutant, folder: Path) -> Path:
    """A copy of the tree with the change in it."""
    tree = folder / mutant.name
    for name in COPIED:
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    path = tree / mutant.file
    text = path.read_text()
    assert text.count(mutant.before) == 1, f"{mutant.name}: {mutant.file} has not one place for it"
    path.write_text(text.replace(mutant.before, mutant.after))
    return tree


def search(mutant: Mutant, folder: Path, seconds: float) -> Found:
    """Run `edgekc fuzz` in a copy with the mutant, for at most so many seconds."""
    tree = planted(mutant, folder)
    command = [
        sys.executable,
        "-m",
        "edgekc",
        "fuzz",
        "--seed",
        str(SEED),
        "--seconds",
        str(seconds),
        "--first",
        "--json",
    ]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    begun = time.monotonic()
    command += ["-o", str(folder / "found")]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    took = time.monotonic() - begun
    shutil.rmtree(tree)
    if done.returncode not in (0, 1) or not done.stdout.strip():
        raise SystemExit(f"{mutant.name}: edgekc fuzz ended with {done.returncode}: {done.stderr[-2000:]}")
    run = json.loads(done.stdout)
    first = run["written"][0] if run["written"] else {"side": "", "layers": 0, "finding": ""}
    return Found(
        **asdict(mutant), found=bool(run["findings"]), side=first["side"], seconds=run["first_s"],
        all_seconds=round(took, 1), networks=run["networks"], layers=first["layers"], finding=first["finding"],
    )  # fmt: skip


def merged(rows: list[Found]) -> list[Found]:
    """These rows, and those of the committed results that are still mutants and were not run now."""
    before = json.loads(RESULT.read_text())["mutants"] if RESULT.is_file() else []
    known = {row["name"]: Found(**row) for row in before} | {row.name: row for row in rows}
    return [known[m.name] for m in MUTANTS if m.name in known and known[m.name].before == m.before]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120, help="for each mutant")
    parser.add_argument("--only", nargs="*", metavar="NAME", help="only these; --json keeps the others' results")
    parser.add_argument("--json", action="store_true", help=f"write {RESULT.relative_to(ROOT)}")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="edgekc-mutants-") as folder:
        for mutant in MUTANTS:
            if arguments.only and mutant.name not in arguments.only:
                continue
            row = search(mutant, Path(folder), arguments.seconds)
            rows.append(row)
            state = f"{row.seconds} s, {row.networks} networks, {row.side}, {row.layers} layers"
            print(f"{row.name:<20} {state if row.found else 'not found'} ({row.all_seconds} s)", flush=True)
    if arguments.json:
        rows = merged(rows)
        made = {
            "command": f"python benchmarks/fuzz_mutants.py --seconds {arguments.seconds:g} --json",
            "seconds": arguments.seconds,
            "seed": SEED,
            "found": sum(row.found for row in rows),
            "mutants": [asdict(row) for row in rows],
        }
        RESULT.write_text(json.dumps(made, indent=1) + "\n")
    if not all(row.found for row in rows):
        sys.exit("not all of them were found")


if __name__ == "__main__":
    main()
