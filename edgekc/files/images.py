"""A folder or zip of images to their pixels: what is decoded, by which formats, and how much of it at most."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from ..errors import EdgekcError, ToolError, UsageError
from ..graph.ir import Array
from . import archive, limits
from .bounded import read_file

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".webp")
# Pillow knows many more, and would start other programs for some of them, whatever the file is called.
_FORMATS = ("JPEG", "PNG", "BMP", "PPM", "WEBP")
_CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}  # of Pillow's modes; any other is converted to RGB


@dataclass(frozen=True, slots=True)
class Tree:
    """Names of all files below a folder or in a zip, and how to read one; `close` when done."""

    names: tuple[str, ...]
    read: Callable[[str], bytes]
    close: Callable[[], None]


def open_tree(path: Path) -> Tree:
    """The files of a folder or zip, without hidden ones.

    Raises:
        UsageError: there is none, or the zip is damaged.
    """
    where = str(path)
    if path.is_dir():
        files = [p for p in path.rglob("*") if p.is_file() and not p.name.startswith(".")]
        names = tuple(p.relative_to(path).as_posix() for p in files)
        return Tree(names, lambda name: _read_file(path / name), lambda: None)
    if not path.exists():
        raise UsageError("does not exist", where=where)
    opened = archive.open_archive(path, where, UsageError, "a folder, a zip or an .npz")
    names = tuple(name for name in opened.members if not PurePosixPath(name).name.startswith("."))
    return Tree(names, lambda name: archive.read(opened, name, limits.MAX_IMAGE_BYTES), opened.file.close)


def reader(path: Path) -> Callable[[str], bytes]:
    """How to read a file of a folder or zip by its name, without a list of all that a folder has."""
    return (lambda name: _read_file(path / name)) if path.is_dir() else open_tree(path).read


def _read_file(path: Path) -> bytes:
    return read_file(path, limits.MAX_IMAGE_BYTES, why="more than an image may have")


def decode(data: bytes, where: str) -> Array:
    """The bytes of one image as uint8 (h, w, c), with the channels that the file has.

    Raises:
        UsageError: it is damaged, of another format, or has more than `limits.MAX_PIXELS`.
        ToolError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ToolError("images need Pillow", where=where, fix="pip install 'edgekc[data]'") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large images: the limit here is lower
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                width, height = image.size
                if width * height > limits.MAX_PIXELS:
                    raise UsageError(
                        f"has {width:,} x {height:,} pixels, more than the {limits.MAX_PIXELS:,} that are decoded",
                        where=where,
                        fix="bring all images to the size of the model's input",
                    )
                mode = image.mode if image.mode in _CHANNELS else "RGB"
                pixels = np.asarray(image.convert(mode), np.uint8)
    except EdgekcError:
        raise
    except Exception as error:  # Pillow's decoders let their own errors through, and zlib's, struct's, ...
        line = " ".join(str(error).split())[:120].replace(hex(id(data)), "")
        raise UsageError(f"cannot be read as an image ({type(error).__name__}: {line})", where=where) from error
    return pixels.reshape(*pixels.shape[:2], _CHANNELS[mode])
