"""Compiled objects kept by the content of what they are made of, so that no kernel is compiled twice."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from .toolchain import Compiler

_MOST_BYTES = 256 << 20  # of the folder; beyond it the entries that were not used longest go, down to half
_TIDIES_BELOW = "04"  # keys are uniform: one object in 64 pays for looking at all of them
_DIGEST_BYTES = 32
_NO_USAGE = -1
_INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*(?:["<]([^">\n]+)[">]|(\S))', re.MULTILINE)
_FOLDER = re.compile(rb"^[^\t\n]*/", re.MULTILINE)  # of the file at the start of each line of a .su
_WORD = re.compile(rb"[A-Za-z_]\w*")
# Variables that make a compiler read other files or other options.
_VARIABLES = ("CPATH", "C_INCLUDE_PATH", "GCC_EXEC_PREFIX", "COMPILER_PATH", "CCC_OVERRIDE_OPTIONS")


def user_cache() -> Path:
    """The folder of what edgekc keeps between runs; all in it can be made again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgekc"


def key_of(compiler: Compiler, flags: Sequence[str], source: Path, at: Path | None = None) -> str | None:
    """A name for the object that these make: the same name, the same bytes. None where it cannot be told.

    In it are the compiler (its file and what it says of its version), the flags, and the source with every header
    of ours that it includes. Where the sources lie is not, if no debug information says it.
    """
    folders, moved, words = _split(flags)
    files = closure(source, folders)
    program = _program(compiler.command[0])
    if files is None or program is None:
        return None
    known = set().union(*(_WORD.findall(text) for text in files.values()))
    # A macro of ours that no file mentions changes nothing: kernels are the same for every network.
    words = [w for w in words if not w.startswith("-DEK") or w[2:].split("=")[0].encode() in known]
    debug = any(word.startswith("-g") for word in words)
    parts = ["1", *program, compiler.version, *compiler.command[1:], "\n", *words, "\n"]
    parts += [f"{name}={os.environ[name]}" for name in _VARIABLES if name in os.environ]
    if any("native" in word for word in words):
        parts.append(_processor())
    if debug:
        parts.append(_shown(at or Path.cwd(), moved))
    for path, text in files.items():
        parts += [_shown(path, moved) if debug else path.name, hashlib.sha256(text).hexdigest()]
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()


def compile_once(
    compiler: Compiler,
    flags: Sequence[str],
    source: Path,
    target: Path,
    run: Callable[[Sequence[str]], subprocess.CompletedProcess[str]],
    at: Path | None = None,
) -> subprocess.CompletedProcess[str] | None:
    """One source to an object by `run`, and what that gave; None where the object was kept from before.

    Args:
        at: the folder in which `run` runs the compiler; None: the current one.
    """
    key = key_of(compiler, flags, source, at)
    if fetch(key, target):
        return None
    done = run([*compiler.command, *flags, "-c", str(source), "-o", str(target)])
    if done.returncode == 0:
        usage = target.with_suffix(".su")
        if usage.is_file():  # -ffile-prefix-map does not reach it
            usage.write_bytes(_FOLDER.sub(b"", usage.read_bytes()))
        keep(key, target)
    return done


def fetch(key: str | None, target: Path) -> bool:
    """Writes the kept object to `target`, and the stack usage beside it; False where it is not kept, or damaged."""
    if key is None:
        return False
    entry = _folder() / key
    try:
        content = entry.read_bytes()
        digest, payload = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if hashlib.sha256(payload).digest() != digest:
            return False
        os.utime(entry)  # used now: see _tidy
    except OSError:
        return False
    size = int.from_bytes(payload[:8], "little", signed=True)
    usage = target.with_suffix(".su")
    if size == _NO_USAGE:
        usage.unlink(missing_ok=True)
    else:
        usage.write_bytes(payload[8 : 8 + size])
    target.write_bytes(payload[8 + max(size, 0) :])
    return True


def keep(key: str | None, target: Path) -> None:
    """Keeps the object `target` under its key. A folder that cannot be written, or a full disk, only costs time."""
    if key is None:
        return
    usage = target.with_suffix(".su")
    with contextlib.suppress(OSError):
        stack = usage.read_bytes() if usage.is_file() else None
        size = _NO_USAGE if stack is None else len(stack)
        payload = size.to_bytes(8, "little", signed=True) + (stack or b"") + target.read_bytes()
        folder = _folder()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix="new-", dir=folder, delete=False) as file:
            try:
                file.write(hashlib.sha256(payload).digest() + payload)
                file.close()
                os.replace(file.name, folder / key)  # at once: two processes may keep the same object
            except OSError:
                os.unlink(file.name)
                raise
        if key < _TIDIES_BELOW:
            _tidy(folder)


def _folder() -> Path:
    return user_cache() / "objects"


def _tidy(folder: Path) -> None:
    entries = []
    for entry in os.scandir(folder):
        with contextlib.suppress(FileNotFoundError):  # another process tidies too
            status = entry.stat()
            entries.append((status.st_mtime_ns, status.st_size, entry.path))
    size_bytes = sum(size for _, size, _ in entries)
    if size_bytes <= _MOST_BYTES:
        return
    for _, size, path in sorted(entries):
        Path(path).unlink(missing_ok=True)
        size_bytes -= size
        if size_bytes <= _MOST_BYTES // 2:
            return


def _split(flags: Sequence[str]) -> tuple[list[Path], dict[str, str], list[str]]:
    """Flags to folders of headers, what paths are shown as, and all others."""
    folders: list[Path] = []
    moved: dict[str, str] = {}
    words: list[str] = []
    rest = iter(flags)
    for flag in rest:
        if flag in ("-I", "-isystem"):
            folders.append(Path(next(rest)))
        elif flag.startswith("-I"):
            folders.append(Path(flag[2:]))
        elif flag.startswith("-ffile-prefix-map="):
            old, new = flag.split("=", 1)[1].rsplit("=", 1)
            moved[old] = new
        else:
            words.append(flag)
    return folders, moved, words


def _shown(path: Path, moved: Mapping[str, str]) -> str:
    """How debug information names a path: of several prefixes that fit the last is taken."""
    text = str(path)
    fits = [new + text[len(old) :] for old, new in moved.items() if text.startswith(old)]
    return fits[-1] if fits else text


def closure(source: Path, folders: Sequence[Path]) -> dict[Path, bytes] | None:
    """The source and each header that it may include, with their content; None where a name is computed.

    A header that none of the folders has is the compiler's own.
    """
    found: dict[Path, bytes] = {}
    todo = [source]
    while todo:
        path = todo.pop()
        if path in found:
            continue
        try:
            found[path] = path.read_bytes()
        except OSError:
            return None
        for name, computed in _INCLUDE.findall(found[path]):
            if computed:
                return None
            places = (folder / os.fsdecode(name) for folder in (path.parent, *folders))
            header = next((place for place in places if place.is_file()), None)
            if header is not None:
                todo.append(header)
    return found


@cache
def _program(command: str) -> tuple[str, ...] | None:
    """What tells one installed compiler from another; None where its file cannot be looked at."""
    try:
        status = os.stat(command)
    except OSError:
        return None
    return (os.path.realpath(command), str(status.st_size), str(status.st_mtime_ns))


@cache
def _processor() -> str:
    """What -march=native depends on: the same home folder may be of several machines."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
        told = [line for line in lines if line.split("\t")[0] in ("model name", "flags", "Features", "CPU part")]
        if told:
            return "\n".join(sorted(set(told)))
    return f"{platform.node()} {platform.machine()} {platform.processor()}"
