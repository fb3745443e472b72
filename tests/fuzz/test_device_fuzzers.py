"""What a device reads, by libFuzzer: the corpora find nothing, and planted bugs are found.

`.ci/run` tries new inputs, a minute of each harness: `benchmarks/fuzz_device.py --cpu-seconds 60`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import device_fuzzers as fuzzers
import pytest

from edgekc.assets import RUNTIME_C

ROOT = Path(__file__).resolve().parents[2]
RUNS = 20_000  # of new inputs at most, some seconds each
MOST_BYTES = 2 << 20  # of all corpora
# (harness, source, from, to)
PLANTED = (
    ("blob", "kernels/portable/ek_blob_check.c", "bytes != layout->total_bytes", "bytes > layout->total_bytes"),
    ("blob", "kernels/portable/ek_blob_check.c", " || offset < end", ""),
    ("console", "port/ek_console.c", "count <= bytes - offset", "count <= bytes"),
    ("console", "port/ek_console.c", "count < EK_CONSOLE_MAX ? count : EK_CONSOLE_MAX", "count"),
    ("netpbm", "apps/ek_netpbm.c", " && frame->count < EK_NETPBM_TRUTHS", ""),
    ("update", "update/ek_slots.c", "header->payload_bytes > room(slots)", "header->payload_bytes > 2u * room(slots)"),
    ("update", "update/ek_update_service.c", "bytes != SESSION + (", "bytes == 3u + ("),
    ("update", "update/ek_slots.c", "EK_UPDATE_OK : EK_UPDATE_HASH_WRONG", "EK_UPDATE_OK : EK_UPDATE_OK"),
    ("wav", "apps/ek_wav.c", "*bytes < 2u * count ? *bytes & ~1u : 2u * count", "*bytes & ~1u"),
)


@pytest.fixture(scope="module")
def clang() -> str:
    found = fuzzers.compiler()
    if found is None:
        pytest.skip("clang with libFuzzer is not installed: libclang-rt-14-dev")
    return found


@pytest.mark.fast
def test_corpora_are_small_and_of_each_harness() -> None:
    packed = {path.stem: path.stat().st_size for path in fuzzers.HERE.glob("*.zip")}
    assert packed.keys() == fuzzers.HARNESSES.keys() and sum(packed.values()) <= MOST_BYTES
    assert {path.stem for path in fuzzers.HERE.glob("fuzz_*.c")} == {f"fuzz_{name}" for name in packed}


@pytest.mark.slow
def test_memory_is_what_the_program_holds(clang: str, tmp_path: Path) -> None:
    """And not what its parent once held, from which Linux begins to count the peak of a process."""
    program, corpus = (
        fuzzers.build(clang, "netpbm", tmp_path / "build"),
        fuzzers.unpacked("netpbm", tmp_path / "corpus"),
    )
    held = bytearray(600 << 20)
    held[::4096] = bytes([1]) * len(range(0, len(held), 4096))
    assert fuzzers.run(program, corpus, "-max_total_time=3", most_mb=500).finding == ""
    assert "hard rss limit exhausted" in fuzzers.run(program, corpus, "-max_total_time=3", most_mb=1).finding


def planted(runtime: Path, source: str, before: str, after: str) -> Path:
    """A copy of the C with something in one file that should be otherwise."""
    shutil.copytree(RUNTIME_C, runtime)
    text = (runtime / source).read_text()
    assert text.count(before) >= 1
    (runtime / source).write_text(text.replace(before, after))
    return runtime


@pytest.mark.slow
@pytest.mark.parametrize(("name", "source", "before", "after"), PLANTED)
def test_a_planted_bug_is_found(clang: str, name: str, source: str, before: str, after: str, tmp_path: Path) -> None:
    runtime = planted(tmp_path / "runtime_c", source, before, after)
    program = fuzzers.build(clang, name, tmp_path / "build", runtime)
    assert fuzzers.run(program, fuzzers.unpacked(name, tmp_path / "corpus"), f"-runs={RUNS}").finding


@pytest.mark.slow
def test_the_step_of_ci_fails_and_says_how_to_see_it_again(clang: str, tmp_path: Path) -> None:
    """Processor time is counted, and what is printed is all that is needed where the bug is, and nothing elsewhere."""
    wrong = planted(tmp_path / "runtime_c", *next(rest for name, *rest in PLANTED if name == "netpbm"))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / "benchmarks").symlink_to(ROOT / "benchmarks")
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}

    def shell(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True)

    step = "python benchmarks/fuzz_device.py --cpu-seconds 60"
    assert step in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    step = step.replace("60", "2") + " --harness netpbm"
    done = shell(step)
    assert done.returncode == 0 and done.stdout.endswith(" 2 s\n"), done.stdout + done.stderr
    done = shell(f"{step} --runtime {wrong}")
    assert done.returncode == 1 and "AddressSanitizer" in done.stdout, done.stdout + done.stderr
    commands = "\n".join(done.stdout.splitlines()[1:-1])
    assert commands.startswith("echo ")
    assert shell(f"{commands} --runtime {wrong}").returncode == 1
    assert shell(commands).returncode == 0


@pytest.mark.slow
def test_oss_fuzz_builds_them(clang: str, tmp_path: Path) -> None:
    """By its variables; libFuzzer alone needs the main of C++ there. The corpora find nothing."""
    flags = "-O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all"
    mine = {"CC": clang, "CFLAGS": flags, "LIB_FUZZING_ENGINE": "-fsanitize=fuzzer",
            "OUT": str(tmp_path), "PYTHONPATH": str(ROOT)}  # fmt: skip
    script = [str(ROOT / ".ci" / "oss-fuzz" / "build.sh")]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(script, cwd=ROOT, env={**os.environ, **mine, "PATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {f"fuzz_{name}{end}" for name in fuzzers.HARNESSES for end in ("", "_seed_corpus.zip")}
    for name in fuzzers.HARNESSES:
        with zipfile.ZipFile(tmp_path / f"fuzz_{name}_seed_corpus.zip") as corpus:
            corpus.extractall(tmp_path / name)
        found = fuzzers.run(tmp_path / f"fuzz_{name}", tmp_path / name, "-runs=1")  # and all of the corpus
        assert found.finding == "" and found.executions >= len(corpus.namelist()) > 100
