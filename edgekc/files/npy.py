"""Bytes of an .npy or .npz to arrays of numbers: the header by a grammar of its own, nothing evaluated or unpickled."""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import EdgekcError
from ..graph.ir import Array
from . import limits
from .archive import Archive, open_archive, read

_MAGIC = b"\x93NUMPY"
_HEADER_BYTES = {1: 2, 2: 4, 3: 4}  # of the header's length, by major version
_MAX_HEADER_BYTES = 4096
_FIELD = re.compile(
    r"'descr':\s*'(?P<descr>[^'\\]{1,24})'|'fortran_order':\s*(?P<order>True|False)|'shape':\s*\((?P<shape>[\d, ]*)\)"
)
_TYPES = {
    f"{kind}{size}": np.dtype(f"{kind}{size}")
    for kind, sizes in (("b", (1,)), ("i", (1, 2, 4, 8)), ("u", (1, 2, 4, 8)), ("f", (2, 4, 8)))
    for size in sizes
}


def read_npz(
    source: Path | BinaryIO, where: str, kind: type[EdgekcError], names: Iterable[str] | None = None
) -> dict[str, Array]:
    """The arrays of an .npz, by name.

    Args:
        kind: of the errors.
        names: those that are read where they are there; None: all.

    Raises:
        kind: the file is damaged, holds anything but numbers, or unpacks to more than `limits.unpacked_bytes()`.
    """
    with open_archive(source, where, kind, "an .npz of plain arrays") as archive:
        found = {name.removesuffix(".npy"): name for name in archive.members if name.endswith(".npy")}
        chosen = found if names is None else {name: found[name] for name in names if name in found}
        total = sum(archive.members[member].file_size for member in chosen.values())
        if total > limits.unpacked_bytes():
            raise kind(limits.too_large("unpacks to", total), where=where, fix=limits.RAISE_LIMIT)
        return {name: _member(archive, member) for name, member in chosen.items()}


def _member(archive: Archive, name: str) -> Array:
    return parse(read(archive, name), f"{archive.where}: {name[:200]}", archive.kind)


def parse(data: bytes, where: str, kind: type[EdgekcError]) -> Array:
    """One .npy file to its array, read-only.

    Raises:
        kind: another format, a type that is no number, or a shape that does not fit the bytes that are there.
    """

    def wrong(what: str) -> EdgekcError:
        return kind(f"is no array of numbers: {what}", where=where)

    if data[:6] != _MAGIC or len(data) < 8 or data[6] not in _HEADER_BYTES:
        raise wrong("it does not begin like an .npy file")
    start = 8 + _HEADER_BYTES[data[6]]
    length = int.from_bytes(data[8:start], "little")
    if length > _MAX_HEADER_BYTES or start + length > len(data):
        raise wrong(f"its header of {length:,} bytes")
    text = data[start : start + length].decode("latin-1")
    fields: dict[str, str] = {}
    for match in _FIELD.finditer(text):
        fields.update({key: value for key, value in match.groupdict().items() if value is not None})
    rest = re.fullmatch(r"\s*\{[\s,]*\}\s*", _FIELD.sub("", text))
    if rest is None or len(fields) != len(_FIELD.groupindex):
        raise wrong(f"its header is {text.strip()[:120]!r}")
    dtype = _dtype(fields["descr"])
    if dtype is None:
        raise wrong(f"its type is {fields['descr']!r}; supported: bool, int, uint and float of up to 8 bytes")
    dims = [part.strip() for part in fields["shape"].split(",") if part.strip()]
    if len(dims) > 32 or any(len(d) > 18 or not d.isdigit() for d in dims):
        raise wrong(f"its shape is ({fields['shape'][:80]})")
    shape = tuple(map(int, dims))
    wanted, there = math.prod(shape) * dtype.itemsize, len(data) - start - length
    if wanted != there:
        raise wrong(f"its shape {list(shape)} and type {dtype} need {wanted:,} bytes, {there:,} are there")
    array = np.frombuffer(data, dtype, offset=start + length) if wanted else np.zeros(0, dtype)
    return array.reshape(shape, order="F" if fields["order"] == "True" else "C")


def _dtype(descr: str) -> np.dtype[np.generic] | None:
    """The numpy type of `<f4` and its like; None for what is no number."""
    if descr[:1] not in "<>|=" or descr[1:] not in _TYPES:
        return None
    return _TYPES[descr[1:]].newbyteorder(">" if descr[0] == ">" else "<")


def write_npz(arrays: Mapping[str, Array]) -> bytes:
    """The bytes of an .npz of arrays of numbers."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)
    return buffer.getvalue()
