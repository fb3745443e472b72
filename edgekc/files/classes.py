"""A folder or zip of images by class to labels, and to pixels: in memory, or decoded from disk when they are read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ..errors import UsageError
from ..graph.ir import Array
from . import images, limits


class _Hashes:
    """SHA-256 of each file of a tree, once it is asked for: all parts that are taken of the tree share them."""

    def __init__(self, count: int) -> None:
        self.count, self._values, self._known = count, np.zeros((0, 32), np.uint8), np.zeros(0, bool)

    def of(self, row: int, read: Callable[[], bytes]) -> bytes:
        if not len(self._known):
            self._values, self._known = np.zeros((self.count, 32), np.uint8), np.zeros(self.count, bool)
        if not self._known[row]:
            self._values[row] = np.frombuffer(hashlib.sha256(read()).digest(), np.uint8)
            self._known[row] = True
        return bytes(self._values[row])


class OnDisk:
    """Images of one size as an array (n, h, w, c) uint8 that holds their names only.

    An index decodes what it names, in this process, and gives an array. It has what an array's readers ask of it.

    Args:
        path: a folder or zip.
        names: of files in it, as bytes: an array of texts would take four times the memory.
        image: (h, w, c) of each.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, path: Path, names: Array, image: tuple[int, ...]) -> None:
        self.path, self._names, self._image = path, names, image
        self._read: Callable[[str], bytes] | None = None
        self._reader = 0  # the process that opened it: a zip's place in its file is not to be shared
        self._digest = b""
        self._rows, self._hashes = np.arange(len(names)), _Hashes(len(names))

    def __len__(self) -> int:
        return len(self._names)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self), *self._image)

    @property
    def ndim(self) -> int:
        return 1 + len(self._image)

    def take(self, index: Array) -> OnDisk:
        """The images with these indices; nothing is decoded."""
        found = OnDisk(self.path, self._names[index], self._image)
        found._rows, found._hashes = self._rows[index], self._hashes
        return found

    def __getitem__(self, index: Any) -> Array:
        """Decoded images. UsageError: one cannot be read, or has another size."""
        names = np.atleast_1d(self._names[index])
        found = np.empty((len(names), *self._image), np.uint8)
        for row, name in enumerate(map(os.fsdecode, names)):
            pixels = images.decode(self._bytes(name), f"{self.path}: {name}")
            _check_size(pixels.shape, self._image, f"{self.path}: {name}", "the first image")
            found[row] = pixels
        return found if np.ndim(self._names[index]) else np.asarray(found[0])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return self[:].astype(dtype or np.uint8, copy=False)

    def digest(self) -> bytes:
        """SHA-256 of the names and the files. A file is read once for it, also where several parts hold it."""
        if not self._digest:
            found = hashlib.sha256(repr(self.shape).encode())
            for row, name in zip(self._rows, map(os.fsdecode, self._names), strict=True):
                found.update(os.fsencode(name) + self._hashes.of(int(row), partial(self._bytes, name)))
            self._digest = found.digest()
        return self._digest

    def _bytes(self, name: str) -> bytes:
        if self._read is None or self._reader != os.getpid():
            self._read, self._reader = images.reader(self.path), os.getpid()
        return self._read(name)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_read": None, "_hashes": _Hashes(self._hashes.count)}


@dataclass(frozen=True, slots=True)
class Classes:
    """Images by class.

    Attributes:
        x: (n, h, w, c) uint8.
        y: (n,) int64, numbers of classes.
        names: of the classes, sorted over all splits, so that splits agree.
    """

    x: Array | OnDisk
    y: Array
    names: tuple[str, ...]


def read_classes(path: Path, split: str, pick: Callable[[int], Array], on_disk: bool) -> Classes:
    """The images of a split.

    Args:
        pick: indices of those that are wanted, of so many.
        on_disk: more than fits into the memory that samples may take (`limits.unpacked_bytes`) stays on disk.

    Raises:
        UsageError: see `data.load`. Of images that stay on disk one is decoded, and the others may raise later.
    """
    tree = images.open_tree(path)
    try:
        return _read(tree, path, split, pick, on_disk)
    finally:
        tree.close()


def _read(tree: images.Tree, path: Path, split: str, pick: Callable[[int], Array], on_disk: bool) -> Classes:
    where = str(path)
    paths = [PurePosixPath(name) for name in sorted(tree.names)]
    entries = [_entry(p) for p in paths if p.suffix.lower() in images.SUFFIXES and len(p.parts) > 1]
    if not entries:
        raise UsageError("holds no images by class", where=where, fix="expected CLASS/NAME.jpg or SPLIT/CLASS/NAME.jpg")
    splits = sorted({s for s, _, _ in entries})
    if not split and len(splits) == 1:
        split = splits[0]
    if split not in splits:
        named = ", ".join(s or "no splits" for s in splits)
        raise UsageError(
            f"has no split {split!r}" if split else "has splits, and none was chosen", where=where, fix=named
        )
    classes = tuple(sorted({c for _, c, _ in entries}))
    number = {name: i for i, name in enumerate(classes)}
    chosen = [(number[c], name) for s, c, name in entries if s == split]
    missing = sorted(set(range(len(classes))) - {label for label, _ in chosen})
    if missing:
        raise UsageError(f"split {split!r} has no image of class {classes[missing[0]]!r}", where=where)
    picked = [chosen[i] for i in pick(len(chosen))]
    if not picked:
        raise UsageError("holds no samples", where=where)
    labels = np.array([label for label, _ in picked], np.int64)
    return Classes(_pixels(tree, path, [name for _, name in picked], on_disk), labels, classes)


def _pixels(tree: images.Tree, path: Path, names: Sequence[str], on_disk: bool) -> Array | OnDisk:
    where, x = str(path), np.empty(0, np.uint8)
    for row, name in enumerate(names):
        image = images.decode(tree.read(name), f"{where}: {name}")
        if not row:
            total = len(names) * image.nbytes
            if total > limits.unpacked_bytes():
                if on_disk:
                    return OnDisk(path, np.array([os.fsencode(each) for each in names]), image.shape)
                what = limits.too_large(f"its {len(names):,} images take", total)
                raise UsageError(what, where=where, fix=limits.RAISE_LIMIT)
            x = np.empty((len(names), *image.shape), np.uint8)
        _check_size(image.shape, x.shape[1:], f"{where}: {name}", names[0])
        x[row] = image
    return x


def _check_size(found: tuple[int, ...], wanted: tuple[int, ...], where: str, first: str) -> None:
    if found != wanted:
        what = f"is {list(found)}, but {first} is {list(wanted)} (height, width, channels)"
        raise UsageError(what, where=where, fix="bring all images to one size")


def _entry(path: PurePosixPath) -> tuple[str, str, str]:
    """(split, class, name) of an image's path; the split is empty where there is none."""
    return path.parts[-3] if len(path.parts) > 2 else "", path.parts[-2], str(path)
