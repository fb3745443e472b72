"""Many networks compiled for this machine in a few files, against kernels compiled once per family, and run together.

A family is what a kind of core makes the planner choose: the kernels for its extensions run by their twins in C.
"""

from __future__ import annotations

import io
import os
import re
import struct
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ..assets import RUNTIME_C, runtime_file
from ..boards.cores import CORES
from ..firmware.toolchain import host_compiler
from ..format.pack import Packed, read
from ..generate.plan import Group, Location, Plan, base_of, placed
from ..generate.row_groups import HELD_BYTES, schedule
from ..generate.sources import generate
from ..graph.ir import Array
from ..ops import OPS
from .compiling import INCLUDE_FLAGS, compiled, host_flags

_PORT = RUNTIME_C / "port"
SPACES = ("arena", "input", "output")
PER_FILE = 40  # networks in one file for the compiler: headers are read once for all of them
STATIC = re.compile(r"^static const \w+ (\w+)(?:\[\])? =", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Family:
    """Kernels that go together. `flags`: those by which its own kernels are compiled, beside `host_flags`."""

    name: str
    features: frozenset[str]
    flags: tuple[str, ...] = ()


def asked_features() -> frozenset[str]:
    """What any kernel needs of a core."""
    return frozenset().union(*(k.needs for op in OPS.values() for k in op.kernels))


@cache
def families() -> tuple[Family, ...]:
    """One for each set of kernels that the cores' features allow, and the vector units of this machine."""
    kernels, asked = [k for op in OPS.values() for k in op.kernels], asked_features()
    alike: dict[frozenset[str], frozenset[str]] = {}  # symbols -> features
    for features in (frozenset[str](), *(core.features & asked for core in CORES.values())):
        alike.setdefault(frozenset(k.symbol for k in kernels if k.needs <= features), features)
    found = [Family("-".join(sorted(f)) or "portable", f) for f in alike.values()]
    vector = [f for f in found if "vector" in f.features]
    flags = _processor_flags()
    for family in vector:
        if "avx2" in flags:
            found.append(Family(f"{family.name}-avx2", family.features, ("-mavx2",)))
        if {"avx512vnni", "avx512bw", "avx512vl"} <= {f.replace("_", "") for f in flags}:
            found.append(
                Family(f"{family.name}-avx512", family.features, ("-mavx512vnni", "-mavx512bw", "-mavx512vl", "-mavx2"))
            )
    return tuple(found)


def _processor_flags() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return set()
    return next((set(line.split(":")[1].split()) for line in lines if line.startswith("flags")), set())


@dataclass(frozen=True, slots=True)
class Job:
    """One network on one family: what the driver is given, and by which of its layers the results are told apart."""

    name: str
    family: Family
    plan: Plan
    packed: Packed
    data: bytes  # the .ekc that `packed` was read from
    samples: bytes  # inputs of `count` samples, one after the other
    count: int

    @property
    def kernels(self) -> tuple[str, ...]:
        return tuple(step.kernel.symbol for step in self.plan.steps)

    @property
    def sources(self) -> set[str]:
        """Files of runtime_c/kernels that its layers need."""
        files = {f"{stem}.c" for s in self.plan.steps for stem in (s.kernel.symbol, *s.kernel.sources)}
        return files | {"ek_rows_next.c"} if self.plan.groups else files


def jobs_of(name: str, data: bytes, inputs: Sequence[Array], chosen: Sequence[Family] | None = None) -> list[Job]:
    """A job for each family that chooses other kernels than those before it.

    Args:
        name: begins the C names.
        data: an .ekc.
        inputs: one array per graph input, a sample along the first axis.
    """
    packed, count = read(data, f"{name}.ekc"), inputs[0].shape[0]
    rows = [np.ascontiguousarray(x).reshape(count, -1).view(np.uint8) for x in inputs]
    samples = np.concatenate(rows, axis=1).tobytes()
    found: dict[tuple[object, ...], Job] = {}
    for i, family in enumerate(families() if chosen is None else chosen):
        base = base_of(packed.graph, family.features)
        symbols = [kernel.symbol for _, kernel in base.layers]
        own = any(symbol.endswith("_vec") for symbol in symbols)  # else the family's flags compile nothing
        key = (*symbols, family.flags if own else ())
        if key not in found:
            found[key] = Job(f"{name}_{i}", family, placed(base), packed, data, samples, count)
    return list(found.values())


# ---- building -------------------------------------------------------------------------------------------


class Kernels:
    """The kernels' objects, each compiled at its first use: once for all families, but what has flags of its own."""

    def __init__(self, folder: Path, flags: Sequence[str]) -> None:
        self.folder, self.flags = folder, tuple(flags)
        self._objects: dict[tuple[str, tuple[str, ...]], Path] = {}

    def objects(self, jobs: Sequence[Job]) -> list[Path]:
        """Objects for jobs of families with equal flags."""
        sources = sorted(set().union(*(job.sources for job in jobs)))
        own = jobs[0].family.flags
        result = []
        for flags, files in _by_flags(sources, own).items():
            missing = [runtime_file(f) for f in files if (f, flags) not in self._objects]
            place = self.folder / ("-".join(flags) or "common")
            fresh = compiled(host_compiler(), host_flags(*self.flags, *flags), missing, place)
            self._objects.update({(p.with_suffix(".c").name, flags): p for p in fresh})
            result += [self._objects[f, flags] for f in files]
        return result


def linkable(jobs: Sequence[Job]) -> list[list[Job]]:
    """Jobs that may be in one program: of kernels' helpers that have a fast and a small form, they have the same."""
    groups: list[tuple[dict[str, str], list[Job]]] = []
    for job in jobs:
        forms = {source.replace("_small", ""): source for source in job.sources}
        for known, members in groups:
            if all(known.get(name, source) == source for name, source in forms.items()):
                known.update(forms)
                members.append(job)
                break
        else:
            groups.append((forms, [job]))
    return [members for _, members in groups]


def _by_flags(sources: Sequence[str], own: tuple[str, ...]) -> dict[tuple[str, ...], list[str]]:
    found: dict[tuple[str, ...], list[str]] = {}
    for source in sources:
        found.setdefault(own if source.endswith("_vec.c") else (), []).append(source)
    return found


def build(jobs: Sequence[Job], kernels: Kernels, folder: Path) -> Path:
    """A program that runs all of these jobs, of families with equal flags."""
    folder.mkdir(parents=True, exist_ok=True)
    for job in jobs:
        write_sources(job, folder)
    parts = [jobs[i : i + PER_FILE] for i in range(0, len(jobs), PER_FILE)]
    files = []
    for i, part in enumerate(parts):
        files.append(folder / f"part_{i}.c")
        files[-1].write_text(
            "".join(included(job, (folder / "src" / f"{job.name}.c").read_text(), "../src") for job in part)
        )
    table = folder / "table.c"
    table.write_text(_table(jobs))
    flags = [*kernels.flags, *INCLUDE_FLAGS, "-O0", "-DEKC_TRACE", "-Wall", "-Wextra", "-Werror", "-std=gnu99"]
    flags += ["-I", str(folder / "include"), "-I", str(_PORT)]
    objects = compiled(host_compiler(), flags, [*files, table, _PORT / "ekc_networks.c"], folder / "objects")
    program = folder / "networks"
    objects += kernels.objects(jobs)
    subprocess.run([*host_compiler().command, *kernels.flags, *map(str, objects), "-o", str(program)], check=True)
    return program


def write_sources(job: Job, folder: Path) -> None:
    files = generate(job.plan, job.packed, job.data, job.name, "random")
    for path in (f"src/{job.name}.c", f"src/{job.name}_data.c", f"include/{job.name}.h", f"include/{job.name}_data.h"):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(files[path])


def included(job: Job, source: str, folder: str) -> str:
    """A network as a part of a larger file: its static names get the network's own, and its macros go.

    Args:
        source: the text of its file, in which the static names are.
        folder: where the file lies, as the larger one calls it.
    """
    names = [*STATIC.findall(source), *(["rows_in_memory"] if "rows_in_memory" in source else [])]
    lines = [f"#define {name} {job.name}_{name}" for name in names]
    lines += [f'#include "{folder}/{job.name}{part}.c"' for part in ("", "_data")]
    return "\n".join([*lines, *(f"#undef {name}" for name in (*names, "BYTES", "WORDS", "LAID_OUT")), ""])


def _table(jobs: Sequence[Job]) -> str:
    lines = ['#include "ekc_networks.h"', "#include <stddef.h>"]
    for job in jobs:
        rows = [f"    {{{layer}, {space}, {offset}, {size}}}," for layer, space, offset, size in regions_of(job.plan)]
        lines += [f'#include "{job.name}.h"', f"static const ekr_region {job.name}_regions[] = {{", *rows, "};"]
        lines += [*state_functions(job)]
    lines += ["const ekr_network ekr_networks[] = {"]
    for job in jobs:
        planned, count = job.plan, len(regions_of(job.plan))
        sizes = f"{planned.arena_bytes}, {planned.input_bytes}, {planned.output_bytes}"
        reset = f"{job.name}_begin" if planned.state_bytes else "NULL"
        lines.append(f'    {{"{job.name}", {runner(job)}, {reset}, {sizes}, {job.name}_regions, {count}}},')
    return "\n".join([*lines, "};", f"const uint32_t ekr_network_count = {len(jobs)};", ""])


def runner(job: Job) -> str:
    """The C function of a network without its state's parameter."""
    return f"{job.name}_step" if job.plan.state_bytes else f"{job.name}_run"


def state_functions(job: Job) -> list[str]:
    """C around a network with a state, so that it is run as one without: NAME_begin and NAME_step."""
    if not job.plan.state_bytes:
        return []
    name = job.name
    return [
        f"static uint8_t {name}_state[{job.plan.state_bytes}];",
        f"static void {name}_begin(void)\n{{\n    {name}_reset({name}_state);\n}}",
        f"static ekc_status {name}_step(void *arena, const void *input, void *output)",
        f"{{\n    return {name}_run(arena, {name}_state, input, output);\n}}",
    ]


def regions_of(planned: Plan) -> list[tuple[int, int, int, int]]:
    """(layer, space, offset, bytes) of all that a layer may touch."""
    found = []
    for i, step in enumerate(planned.steps):
        read = [t for t in step.view.inputs if t.data is None]
        places = [(at, t.nbytes) for at, t in zip(step.inputs, read, strict=True)]
        places.append((step.output, step.view.out.nbytes))
        if step.scratch is not None:
            places.append((step.scratch, step.scratch_bytes))
        own = [(at, size) for at, size in places if step.rows is None and at.space in SPACES]  # the state is apart
        found += [(i, SPACES.index(at.space), at.offset, size) for at, size in own]
    groups = {group.first: _of_group(planned, group) for group in planned.groups}
    for group in planned.groups:
        # What any of its layers may touch. The last call need not be the last layer's, so what follows may begin.
        after = group.steps[-1] + 1
        following = groups.get(after) or [r[1:] for r in found if r[0] == after]
        found += [(i, *place) for i in group.steps for place in (*groups[group.first], *following)]
        found += [(after, *place) for place in groups[group.first]]
    return found


def _of_group(planned: Plan, group: Group) -> list[tuple[int, int, int]]:
    """(space, offset, bytes)."""
    steps = [planned.steps[i] for i in group.steps]
    places = [(at, t.bytes) for t, at in zip(group.rows.tensors, group.places, strict=True)]
    places.append((group.held, HELD_BYTES * len(group.rows.tensors)))
    if group.rows.feed:
        places.append((Location("input", 0), planned.input_bytes))
    places += [(step.scratch, step.scratch_bytes) for step in steps if step.scratch is not None]
    return [(SPACES.index(at.space), at.offset, size) for at, size in places]


def calls_of(planned: Plan) -> list[tuple[int, int]]:
    """(layer, bytes) in the order in which the driver sees them."""
    groups = {group.steps[0]: group for group in planned.groups}
    found = []
    for i, step in enumerate(planned.steps):
        if i in groups:
            group = groups[i]
            for k, call in schedule(group.rows.layers, group.rows.inputs, group.rows.feed):
                if k < 0:
                    continue  # rows of the input
                size = group.rows.tensors[k + 1].row_bytes
                found.append((i + k, group.rows.layers[k].calls[call].count * size))
        elif step.rows is None:
            found.append((i, step.view.out.nbytes))
    return found


def regroup(planned: Plan, take: Callable[[int], bytes], outputs: bytes) -> list[bytes]:
    """What the calls of one run wrote, to the output of each layer, and then the network's.

    Args:
        take: gives the next so many bytes.
    """
    parts = [b""] * len(planned.steps)
    for layer, size in calls_of(planned):
        parts[layer] += take(size)
    return [*parts, outputs]


def _why(report: str) -> str:
    """A sanitizer's report in a few words: what is wrong, and in which kernel; empty where it is none."""
    kinds = re.findall(r"ERROR: (\w+: [\w-]+)|runtime error: (.*)", report)
    where = re.findall(r" in (ek_\w+)", report)
    what = "".join(kinds[0]) if kinds else ""
    return f"{what} in {where[0]}" if what and where else what


# ---- running --------------------------------------------------------------------------------------------


def run(program: Path, jobs: Sequence[Job]) -> tuple[list[list[list[bytes]]], str | None]:
    """For each job and sample the output of each layer, then the network's outputs.

    Where a sanitizer or a status of a network stops the program, the results of the jobs before, and what it said.
    """
    given, results = program.with_suffix(".in"), program.with_suffix(".out")
    given.write_bytes(b"".join(struct.pack("<I", job.count) + job.samples for job in jobs))
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0:allow_user_poisoning=1"}
    done = subprocess.run([str(program), str(given), str(results)], capture_output=True, text=True, env=environment)
    finished, stopped = len(jobs), None
    if done.returncode != 0:
        said = done.stdout.splitlines()
        name, sample = next(line.split() for line in reversed(said) if re.fullmatch(r"\w+ \d+", line))
        finished = next(i for i, job in enumerate(jobs) if job.name == name)
        why = _why(done.stderr) or said[-1]
        stopped = f"sample {sample}: stopped with {done.returncode}: {why}\n{done.stderr[:6000]}"
    data, at = results.read_bytes(), 0
    found: list[list[list[bytes]]] = []
    for job in jobs[:finished]:
        rows = []
        for _ in range(job.count):
            size = sum(size for _, size in calls_of(job.plan))
            traced = io.BytesIO(data[at : at + size])
            at += size + job.plan.output_bytes
            rows.append(regroup(job.plan, traced.read, data[at - job.plan.output_bytes : at]))
        found.append(rows)
    assert stopped or at == len(data)
    return found, stopped
