"""libFuzzer on what a device reads: the C of each harness of tests/fuzz/device, its corpus, and what a run found.

python tests/fuzz/device_fuzzers.py FOLDER  # what a compiler needs of each, a line each: .ci/oss-fuzz/build.sh
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from edgekc.apps import commands, keyword
from edgekc.assets import RUNTIME_C
from edgekc.generate.words import c_words
from edgekc.templates import environment

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import blob_nets

HERE = Path(__file__).parent / "device"
FLAGS = (
    *("-std=c99", "-g", "-O1", "-Wall", "-Wextra", "-Werror"),
    *("-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"),
)
LONGEST = 4096  # bytes of an input
SEED = 1
HANG_S = 10
PATIENCE_S = 300  # of an input's time by the clock, where other work may take the processor
ROUND_S = 8.0  # of processor time, about
FIRST_ROUND = 2000  # inputs, to learn how many a second takes
MOST_MB = 2048  # of memory


@dataclass(frozen=True, slots=True)
class Harness:
    """What reads bytes of anybody: its sources below runtime_c, whether it reads a file, and an app with its tables.

    Or a network that takes its constants from a blob, with the sources that it needs.
    """

    sources: tuple[str, ...] = ()
    file: bool = False
    app: ModuleType | None = None
    tables: str = ""
    network: bool = False


def _sounds(app: ModuleType, sources: Sequence[str], tables: str) -> Harness:
    front_end = (name for name in sources if name.startswith("frontend/") and name.endswith(".c"))
    return Harness(("apps/ek_wav.c", *front_end), True, app, tables)


HARNESSES = {
    "blob": Harness(network=True),
    "console": Harness(("port/ek_console.c",)),
    "mfcc": _sounds(commands, commands.SOURCES, "commands/app/ek_mfcc_tables.c.j2"),
    "netpbm": Harness(("apps/ek_netpbm.c",), file=True),
    "update": Harness(
        tuple(f"update/ek_{name}.c" for name in ("update_service", "slots", "marks", "update", "sha256"))
    ),
    "wav": _sounds(keyword, keyword.APP.sources, "keyword/app/ek_frontend_tables.c.j2"),
}


@dataclass(frozen=True, slots=True)
class Run:
    """What a run did.

    Attributes:
        executions: inputs that were tried.
        covered: edges of the program that some input reached.
        finding: what a sanitizer, a check of the harness or the clock said; empty: nothing.
        seconds: of processor time.
    """

    executions: int
    covered: int
    finding: str
    seconds: float


def compiler() -> str | None:
    """A clang with libFuzzer, or None."""
    for name in ("clang-14", "clang", "clang-16", "clang-19"):
        if (found := shutil.which(name)) is not None:
            asked = [found, "-print-file-name=libclang_rt.fuzzer-x86_64.a"]
            runtime = Path(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip())
            folder = subprocess.run([found, "-print-resource-dir"], capture_output=True, text=True, check=True)
            if runtime.is_file() or [*Path(folder.stdout.strip()).rglob("libclang_rt.fuzzer*.a")]:
                return found
    return None


def words_of(name: str, folder: Path, runtime: Path = RUNTIME_C) -> list[str]:
    """For a compiler: the sources of a harness, of which tables are written into `folder`, and folders of headers."""
    harness, made = HARNESSES[name], [HERE / f"fuzz_{name}.c"]
    made += [HERE / "memory_file.c"] * harness.file + [HERE / "recordings.c"] * (harness.app is not None)
    folder.mkdir(parents=True, exist_ok=True)
    if harness.app is not None:
        made.append(folder / f"{name}_tables.c")
        made[-1].write_text(environment().get_template(f"apps/{harness.tables}").render(app=harness.app.tables()))
    if harness.network:
        made += _network(folder, runtime)
    include = ["-DEKC_TRACE"]
    if harness.network:
        include = [f"-I{folder / 'include'}", "-DEK_DSP_EMULATED", "-DEK_CRC32_HOOK=fuzz_crc32"]
    include += [f"-I{runtime / part}" for part in ("include", "port", "apps", "frontend", "update")]
    return [*include, f"-I{HERE}", *map(str, (*made, *(runtime / source for source in harness.sources)))]


def _network(folder: Path, runtime: Path) -> list[Path]:
    """A network's sources, those of the runtime as they are below `runtime`, and its blob as an array."""
    files = dict(blob_nets.files())
    known = {path.name: path for part in ("include", "kernels") for path in (runtime / part).rglob("*.[ch]")}
    for path, content in files.items():
        if path.startswith(("src/", "include/")):
            (folder / path).parent.mkdir(exist_ok=True)
            own = known.get(Path(path).name)
            (folder / path).write_bytes(content if own is None else own.read_bytes())
    data = files[f"{blob_nets.NAME}.blob"]
    view = {"name": blob_nets.NAME, "words": len(data) // 4, "text": c_words(data)}
    (folder / "src" / "blob.c").write_text(environment().get_template("blob.c.j2").render(view))
    return sorted((folder / "src").glob("*.c"))


def build(clang: str, name: str, folder: Path, runtime: Path = RUNTIME_C) -> Path:
    """The program of a harness, of the sources below `runtime`."""
    command = [clang, *FLAGS, *words_of(name, folder, runtime), "-o", str(folder / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return folder / name


def seeds(name: str) -> list[bytes]:
    """What a harness takes whole, to begin a corpus with: no chance finds a RIFF header."""
    sound = b"".join((1000 * (i % 37) - 18000).to_bytes(2, "little", signed=True) for i in range(700))
    form = b"fmt \x10\0\0\0\1\0\1\0" + (16000).to_bytes(4, "little") + (32000).to_bytes(4, "little") + b"\2\0\x10\0"
    chunks = b"WAVE" + form + b"clas\4\0\0\0\3\0\0\0data" + len(sound).to_bytes(4, "little") + sound
    recording = b"RIFF" + len(chunks).to_bytes(4, "little") + chunks
    boxes = b"".join(b"# box %d 1 2 3 4\n" % i for i in range(15))
    requests = ((1, b""), (2, bytes(4) + b"input"), (3, bytes(8)), (4, bytes(4) + b"\x20\0\0\0"), (5, bytes(4)),
                (6, bytes(8) + b"\0\2\0\0"))  # fmt: skip
    line = b"".join(bytes([kind << 4, len(payload)]) + payload for kind, payload in requests)
    update = bytes([0, 3]) + bytes(range(24)) + bytes([0, 255])  # whole; no field changed; in one part
    large = bytes([0, 200]) + bytes(1600) + bytes([0, *[255] * 9])
    return {
        "blob": [bytes([how]) for how in (0, 2, 4, 6, 56, 62)] + [b"\xff" + blob_nets.files()["small.blob"]],
        "wav": [recording, recording * 2], "mfcc": [recording, recording * 2],
        "netpbm": [b"P5\n# class 7\n" + boxes + b"3 2\n255\nabcdef", b"P6 1 1 255\nabc"],
        "console": [b"\0" + line, b"\1" + line],
        "update": [b"\2\0" + update, b"\5\0" + 3 * update, b"\1\0" + update + large],
    }[name]  # fmt: skip


def unpacked(name: str, folder: Path) -> Path:
    """The harness's corpus as a folder of files."""
    with zipfile.ZipFile(HERE / f"{name}.zip") as archive:
        archive.extractall(folder)
    return folder


def pack(name: str, corpus: Path) -> None:
    """The folder of files as the harness's corpus, the same bytes of the same files."""
    with zipfile.ZipFile(HERE / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(corpus.iterdir()):
            archive.writestr(zipfile.ZipInfo(path.name), path.read_bytes(), zipfile.ZIP_DEFLATED)


def run(
    program: Path, corpus: Path, *limits: str, most_mb: int = MOST_MB, seed: int = SEED, hang_s: int = HANG_S
) -> Run:
    """`limits`: as libFuzzer has them, `-runs=N` or `-max_total_time=S`. What is found lies beside the program.

    `corpus` is a folder, or the file of one input, which is all that is tried then. libFuzzer's own limit of memory is
    off: it reads the peak of the process, which on Linux begins with that of the parent. The sanitizer's limit reads
    what is held now.
    """
    words = [f"-max_len={LONGEST}", f"-seed={seed}", f"-timeout={hang_s}", "-print_final_stats=1", *limits]
    words += ["-rss_limit_mb=0", f"-malloc_limit_mb={most_mb}"]
    command = [str(program), *words, str(corpus)]
    code, said, seconds = _told(command, program.parent, {"ASAN_OPTIONS": f"hard_rss_limit_mb={most_mb}"})
    executions = re.findall(r"stat::number_of_executed_units:\s*(\d+)", said)
    covered = re.findall(r"\bcov: (\d+)", said)
    why = re.findall(r"^.*(?:ERROR: |runtime error: |SUMMARY: |hard rss limit exhausted).*$", said, re.MULTILINE)
    finding = "" if code == 0 else " | ".join(why[:2]) or said[-400:]
    return Run(int(executions[-1]) if executions else 0, int(covered[-1]) if covered else 0, finding, seconds)


def run_for(program: Path, corpus: Path, seconds: float) -> Run:
    """Rounds of other seeds until they took so many seconds of processor time, or one finds something.

    libFuzzer's `-max_total_time` is of the clock: at idle priority beside other work it may be no time at all. New
    inputs that reach more go into `corpus`, where the next round begins.
    """
    done, wanted = run(program, corpus, f"-runs={FIRST_ROUND}", hang_s=PATIENCE_S), 0
    rounds = 1
    while not done.finding and done.seconds < seconds:
        wanted = max(1, int(min(ROUND_S, seconds - done.seconds) * done.executions / done.seconds))
        more = run(program, corpus, f"-runs={wanted}", seed=SEED + rounds, hang_s=PATIENCE_S)
        executions, took = done.executions + more.executions, done.seconds + more.seconds
        done, rounds = Run(executions, max(done.covered, more.covered), more.finding, took), rounds + 1
    return done


def found_by(program: Path) -> list[Path]:
    """The inputs that runs of a program have found, as libFuzzer names them."""
    kinds = ("crash", "leak", "oom", "timeout")
    return sorted(path for kind in kinds for path in program.parent.glob(f"{kind}-*"))


def minimise(program: Path, corpus: Path, into: Path) -> None:
    """The fewest files of the corpus that reach all that it reaches."""
    into.mkdir(parents=True, exist_ok=True)
    code, said, _ = _told([str(program), "-merge=1", f"-max_len={LONGEST}", str(into), str(corpus)], program.parent)
    if code:
        raise RuntimeError(said[-2000:])


def _told(command: Sequence[str], folder: Path, options: Mapping[str, str] | None = None) -> tuple[int, str, float]:
    """The exit code, what was printed as an error, and seconds of processor time of this process and its own."""
    surroundings = {**os.environ, **(options or {})}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, cwd=folder, env=surroundings, stdout=subprocess.DEVNULL, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        return process.returncode, said.read().decode(errors="replace"), used.ru_utime + used.ru_stime


if __name__ == "__main__":
    for each in HARNESSES:
        print(each, *words_of(each, Path(sys.argv[1])))
