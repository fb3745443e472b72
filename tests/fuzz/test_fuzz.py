"""A bounded part of benchmarks/fuzz_readers.py: damaged files are taken or refused, by every reader."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import fuzz_mutations  # noqa: E402
import fuzz_readers  # noqa: E402
import fuzz_seeds  # noqa: E402
from fuzz_readers import READERS, Reader, Tally, run_cases  # noqa: E402

from edgekc.errors import UsageError  # noqa: E402

RESULTS = HERE.parents[1] / "benchmarks" / "results" / "fuzz_readers.json"
SLOW_READERS = (".pt2", ".keras", ".h5")
OWN = tuple(READERS)[tuple(READERS).index("update") :]  # small files: a process each would take longer than they do
FAST = [name for name in READERS if name not in (*SLOW_READERS, *OWN)]
FIRST = 1_000_000  # beyond the cases of the benchmark


def together() -> list[tuple[str, ...]]:
    """Readers that need the same packages, which a process loads once for up to five of them."""
    of = {needs: [name for name in READERS if READERS[name].needs == needs] for needs in map(_needs, READERS)}
    return [tuple(names[i : i + 5]) for names in of.values() for i in range(0, len(names), 5)]


def _needs(name: str) -> tuple[str, ...]:
    return READERS[name].needs


def tallies_of(names: Sequence[str], count: int, folder: Path) -> list[Tally]:
    """In a process of their own: limits of memory and timers are not for this one."""
    for lacking in filter(None, (fuzz_readers.missing(READERS[name]) for name in names)):
        pytest.skip(f"{lacking} is not installed")
    places = [str(HERE), str(HERE.parent), str(HERE.parents[1])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, fuzz_readers.__file__, ",".join(names), str(FIRST), str(count), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    return [Tally(**json.loads(line)) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.mark.parametrize("name", FAST)
def test_some_damaged_files(name: str, tmp_path: Path) -> None:
    (tally,) = tallies_of([name], 30, tmp_path)
    assert not tally.found(), f"show one with benchmarks/fuzz_readers.py --reader '{name}' --case N: {tally.found()}"
    assert tally.inputs == tally.accepted + tally.refused == 30
    assert tally.refused > 2


@pytest.mark.slow
@pytest.mark.parametrize("names", together(), ids=", ".join)
def test_more_damaged_files(names: tuple[str, ...], tmp_path: Path) -> None:
    count = 12 if ".pt2" in names else 20 if names[0] in SLOW_READERS else 800
    for name, tally in zip(names, tallies_of(names, count, tmp_path), strict=True):
        told = f"show one with benchmarks/fuzz_readers.py --reader '{name}' --case N: {tally.found()}"
        assert not tally.found(), told
        assert tally.accepted and tally.refused and tally.inputs == count, name


def test_every_reader_is_tried_once() -> None:
    assert sorted(name for names in together() for name in names) == sorted(READERS)


def test_sound_files_are_taken() -> None:
    """What is damaged is sound at first, or a case would prove little."""
    for name in ("recipe", "board", "manifest.json", "measurement", "console", ".npz"):
        for seed in fuzz_seeds.SEEDS[name]()[: 2 if name == "console" else None]:  # its third says that it stopped
            reader = READERS[name]
            if reader.suffix:
                import tempfile

                with tempfile.TemporaryDirectory() as folder:
                    path = Path(folder) / fuzz_readers.name_of(reader)
                    path.write_bytes(seed)
                    reader.read(path)
            else:
                reader.read(seed)


def test_finds_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader with faults: the harness names each, and goes on."""

    def read(data: bytes) -> None:
        kind = data[0] % 4
        if kind == 0:
            raise KeyError("lost")
        if kind == 1:
            raise UsageError("damaged")
        if kind == 2:
            bytearray(2 << 30)
        while kind == 3:
            pass

    timers = tuple((timer, number, 0.2) for timer, number, _ in fuzz_readers._TIMERS)
    monkeypatch.setattr(fuzz_readers, "_TIMERS", timers)
    monkeypatch.setitem(
        fuzz_readers.READERS, "faulty", Reader("", read, lambda rng, data: bytes([rng.randrange(4)]), 1)
    )
    monkeypatch.setitem(fuzz_seeds.SEEDS, "faulty", lambda: [b"\1"])
    tally = run_cases("faulty", 0, 24, tmp_path)
    assert tally.inputs == 24
    assert tally.refused and tally.hangs and tally.over_memory
    (what,) = tally.foreign
    assert what.startswith("KeyError at test_fuzz.py:read")
    assert len(tally.found()) == 3


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_cases_are_the_same_everywhere() -> None:
    seeds = fuzz_seeds.npz()
    assert fuzz_readers.case(".npz", seeds, 7) == fuzz_readers.case(".npz", seeds, 7)
    assert len({fuzz_readers.case(".npz", seeds, number) for number in range(50)}) > 40


def test_structures_survive_where_nothing_is_changed() -> None:
    """The parser of protobuf writes what it read, so that only what is meant to change does."""
    pytest.importorskip("onnx", reason="the seeds are ONNX models")
    for seed in fuzz_seeds.onnx():
        found = fuzz_mutations._fields(seed)
        assert found is not None
        assert fuzz_mutations._message(found) == seed


def test_the_committed_results_are_clean() -> None:
    if not RESULTS.is_file():
        pytest.skip("benchmarks/results/fuzz_readers.json is not there")
    found = json.loads(RESULTS.read_text())
    assert not found["found"]
    assert found["total"]["inputs"] >= 1_000_000
    spec = importlib.util.spec_from_file_location("benchmark", RESULTS.parents[1] / "fuzz_readers.py")
    assert spec is not None and spec.loader is not None
    command = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(command)
    assert command.table(found) in (HERE.parents[1] / "SECURITY.md").read_text(encoding="utf-8")
    for row in found["readers"].values():
        tally = Tally(**row)
        assert {f.name for f in fields(tally)} == row.keys()
        assert tally.worst_seconds < fuzz_readers.SECONDS
        assert tally.worst_mib * 2**20 < fuzz_readers.MEMORY_BYTES
