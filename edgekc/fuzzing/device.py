"""Many networks in one image of an emulated board: to the harness they are one network, whose input and output are
theirs, one after the other."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from ..boards.board import Board
from ..emulate.device import run_image
from ..errors import CapacityError, ToolError
from ..firmware.build import build_image
from ..generate.sources import generate
from .building import PER_FILE, Family, Job, included, linkable, regroup, runner, state_functions

NAME = "networks"  # of what the harness runs
_ALIGNMENT = 16  # of each buffer
_CODE_BYTES = 160_000  # of kernels and harness, roughly, when batches are made
_TIMEOUT_S = 120.0


def family_of(board: Board) -> Family:
    return Family(board.name, board.features)


def run(
    board: Board, jobs: Sequence[Job], folder: Path, flags: Sequence[str] = ()
) -> tuple[list[tuple[Job, list[list[bytes]]]], list[tuple[Job, str]], list[Job]]:
    """Build and run networks on the board's emulator.

    Args:
        jobs: planned for this board, with the same number of samples each.
        flags: for the code of the networks and their kernels, after the usual ones.

    Returns:
        The outputs of each layer and then of the network, by job and sample; what stopped the program, by job; and the
        jobs for which the board has no room.

    Raises:
        ToolError: there is no compiler or emulator for the board.
    """
    done: list[tuple[Job, list[list[bytes]]]] = []
    stopped: list[tuple[Job, str]] = []
    small: list[Job] = []
    waiting = [part for alike in linkable(jobs) for part in batches(board, alike)]
    while waiting:
        part = waiting.pop()
        try:
            done += zip(part, _run(board, part, folder, flags), strict=True)
        except (CapacityError, ToolError) as error:
            if len(part) > 1:
                waiting += [part[: len(part) // 2], part[len(part) // 2 :]]
            elif isinstance(error, CapacityError):
                small += part
            elif "refused" in str(error) or "not installed" in str(error) or "not found" in str(error):
                raise
            else:
                stopped.append((part[0], f"{board.name}, {error}"))
    return done, stopped, small


def batches(board: Board, jobs: Sequence[Job]) -> list[list[Job]]:
    """Jobs that should fit into one image each."""
    memories = {kind: max((m.size_bytes for m in board.memories if m.kind == kind), default=1 << 30) for kind in ("flash", "ram")}  # fmt: skip  # noqa: E501
    made: list[list[Job]] = []
    flash = ram = 0
    for job in jobs:
        size = len(job.data) + 4000
        buffers = job.plan.input_bytes + job.plan.output_bytes + job.plan.state_bytes
        flash, ram = flash + size, ram + buffers
        arena = max((j.plan.arena_bytes for j in (*(made[-1] if made else ()), job)), default=0)
        full = flash + _CODE_BYTES > memories["flash"] or ram + arena + 8000 > memories["ram"]
        if not made or full or len(made[-1]) == PER_FILE:
            made.append([])
            flash, ram = size, buffers
        made[-1].append(job)
    return made


def _run(board: Board, jobs: Sequence[Job], folder: Path, flags: Sequence[str]) -> list[list[list[bytes]]]:
    place = folder / "device"
    shutil.rmtree(place, ignore_errors=True)
    _write(place, board, jobs)
    image = build_image(place, board, folder / "device_build", trace=True, extra_flags=flags)
    count = jobs[0].count
    samples = []
    for k in range(count):
        sample = bytearray(_size([job.plan.input_bytes for job in jobs]))
        for at, job in zip(_offsets([job.plan.input_bytes for job in jobs]), jobs, strict=True):
            size = job.plan.input_bytes
            sample[at : at + size] = job.samples[k * size : (k + 1) * size]
        samples.append(bytes(sample))
    found = run_image(image, b"".join(samples), timeout_s=_TIMEOUT_S, count=False)
    traced = iter(found.trace)
    results: list[list[list[bytes]]] = [[] for _ in jobs]
    total = _size([job.plan.output_bytes for job in jobs])
    for k in range(count):
        outputs = found.outputs[k * total : (k + 1) * total]
        for at, job, rows in zip(_offsets([job.plan.output_bytes for job in jobs]), jobs, results, strict=True):
            rows.append(regroup(job.plan, lambda size: next(traced)[1], outputs[at : at + job.plan.output_bytes]))
    return results


def _offsets(sizes: Sequence[int]) -> list[int]:
    found, at = [], 0
    for size in sizes:
        found.append(at)
        at += -(-size // _ALIGNMENT) * _ALIGNMENT
    return found


def _size(sizes: Sequence[int]) -> int:
    return sum(-(-size // _ALIGNMENT) * _ALIGNMENT for size in sizes) or _ALIGNMENT


def _write(folder: Path, board: Board, jobs: Sequence[Job]) -> None:
    """A folder as `edgekc compile -o` writes it, of a network that runs all of them."""
    for name in ("src", "include", "nets"):
        (folder / name).mkdir(parents=True)
    manifests, shared = [], dict[str, bytes]()  # kernels and their headers, of several networks
    for job in jobs:
        files = generate(job.plan, job.packed, job.data, job.name, board.name)
        manifests.append(json.loads(files["manifest.json"]))
        for path, data in files.items():
            if path.startswith(f"src/{job.name}"):  # a part of a larger file
                (folder / "nets" / Path(path).name).write_bytes(data)
            elif path.startswith(("src/", "include/")):
                shared[path] = data
    for path, data in shared.items():
        (folder / path).write_bytes(data)
    text = "".join(included(job, (folder / "nets" / f"{job.name}.c").read_text(), "../nets") for job in jobs)
    (folder / "src" / "all_networks.c").write_text(text)
    (folder / "src" / f"{NAME}.c").write_text(_caller(jobs))
    sizes = {
        "ARENA": max(job.plan.arena_bytes for job in jobs),
        "INPUT": _size([job.plan.input_bytes for job in jobs]),
        "OUTPUT": _size([job.plan.output_bytes for job in jobs]),
    }
    lines = [
        '#include "ekc_status.h"',
        *(f"#define {NAME.upper()}_{what}_BYTES {size}" for what, size in sizes.items()),
    ]
    lines.append(f"ekc_status {NAME}_run(void *arena, const void *input, void *output);")
    (folder / "include" / f"{NAME}.h").write_text("\n".join([*lines, ""]))
    needs = sorted(set().union(*(m["needs"] for m in manifests)))
    manifest = {**manifests[0], "name": NAME, "needs": needs, "state_bytes": 0}  # the networks hold their states
    (folder / "manifest.json").write_text(json.dumps(manifest))


def _caller(jobs: Sequence[Job]) -> str:
    inputs, outputs = (
        _offsets([job.plan.input_bytes for job in jobs]),
        _offsets([job.plan.output_bytes for job in jobs]),
    )
    lines = [f'#include "{NAME}.h"', "", "#include <stdint.h>", ""]
    lines += [f'#include "{job.name}.h"' for job in jobs]
    for job in jobs:
        lines += state_functions(job)
    lines += ["", f"ekc_status {NAME}_run(void *arena, const void *input, void *output)", "{"]
    lines += ["    static int begun;", "    ekc_status status = EKC_OK;", "    if (!begun) {"]
    lines += [f"        {job.name}_begin();" for job in jobs if job.plan.state_bytes]
    lines += ["        begun = 1;", "    }"]
    for job, at, to in zip(jobs, inputs, outputs, strict=True):
        call = f"{runner(job)}(arena, (const uint8_t *)input + {at}, (uint8_t *)output + {to})"
        lines.append(f"    status = status == EKC_OK ? {call} : status;")
    return "\n".join([*lines, "    return status;", "}", ""])
