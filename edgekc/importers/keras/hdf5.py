"""The bytes of an HDF5 file to the word that they can be read: in a process of its own, which may hang, crash or die.

The HDF5 library runs without end on some damaged files, where no timer of Python reaches it. The process reads every
attribute and every array once; what it could read, Keras can read again.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import Any

from ...errors import ModelError, UnsupportedError
from ...files import limits

SECONDS = 5  # of computing; a model of 100 MB takes one
_WALL_S = 120.0  # on a busy machine
_MAX_DEPTH = 40  # of groups in groups
_OWN_BYTES = 1 << 30  # of the process itself, beside what the arrays may have
_REFUSED = {"ModelError": ModelError, "UnsupportedError": UnsupportedError}


def check_h5(data: bytes, where: str) -> str | None:
    """The model's configuration, None where there is none.

    Raises:
        UnsupportedError: data that does not lie in the file.
        ModelError: the file is damaged, or much larger than it says.
    """
    # Modules come from where this process has its own, and not from the current folder, as with -m.
    code = f"import sys; sys.path[:] = sys.argv[2:]; from {__name__} import main; main()"
    command = [sys.executable, "-c", code, str(limits.unpacked_bytes()), *sys.path]
    again = "save the model again"
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=_WALL_S, check=False)
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise ModelError("the HDF5 library does not come to an end with it", where=where, fix=again) from None
    except ValueError:
        problem = done.stderr.decode(errors="replace").strip().splitlines()
        if done.returncode == 1 and problem:  # a fault of ours, or a package that is missing
            raise RuntimeError(f"{__name__}: {problem[-1]}") from None
        what = f"the HDF5 library ended, or took over {SECONDS} seconds (exit status {done.returncode})"
        raise ModelError(what, where=where, fix=again) from None
    if "error" in answer:
        raise _REFUSED[answer["error"]](answer["what"], where=where, fix=answer["fix"])
    config: str | None = answer["config"]
    return config


# ---- in the process ----


def main() -> None:
    """Bytes on standard input to JSON on standard output."""
    allowed = int(sys.argv[1])
    _limit(allowed)
    import h5py

    data = sys.stdin.buffer.read()
    answer: dict[str, Any]
    try:
        with h5py.File(io.BytesIO(data), "r") as opened:
            config = opened.attrs.get("model_config")
            _walk(opened, len(data), allowed)
        answer = {"config": config.decode() if isinstance(config, bytes) else config and str(config)}
    except (ModelError, UnsupportedError) as error:
        answer = {"error": type(error).__name__, "what": error.what, "fix": error.fix}
    except Exception as error:  # h5py lets the errors of its library through, of every kind
        line = " ".join(str(error).split())[:200]
        what = f"cannot be read ({type(error).__name__}: {line})"
        answer = {"error": "ModelError", "what": what, "fix": "save the model again"}
    print(json.dumps(answer))


def _limit(allowed: int) -> None:
    try:
        import resource
    except ImportError:  # not on Windows, where the time on the wall has to do
        return
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_DATA, (allowed + _OWN_BYTES,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _walk(opened: Any, size: int, allowed: int) -> None:
    """Everything is read, and lies in the file, and is not much larger than it says."""
    import h5py

    total, left = 0, [(opened, 0)]
    allowed = min(allowed, limits.MAX_MADE_BYTES + 16 * size)
    while left:
        group, depth = left.pop()
        if depth > _MAX_DEPTH:
            raise ModelError("its groups are nested too deeply")
        list(group.attrs.values())
        for name in group:
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise UnsupportedError(f"{name[:60]!r} is a link out of its group; data must lie in the file")
            item = group[name]
            if isinstance(item, h5py.Group):
                left.append((item, depth + 1))
                continue
            if not isinstance(item, h5py.Dataset) or item.external or item.is_virtual:
                raise UnsupportedError(f"{name[:60]!r} lies in another file; data must lie in this one")
            total += item.size * item.dtype.itemsize
            if total > allowed:
                what = f"{size:,} bytes that unpack to arrays of {total:,}; {allowed:,} are allowed"
                raise ModelError(what, fix=limits.RAISE_LIMIT)
            list(item.attrs.values())
            item[()]
