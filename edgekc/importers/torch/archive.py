"""A .pt2 file to the bytes of a clean one: only what the import needs, and nothing that torch would unpickle or run.

torch's loader unpickles sample inputs, weights that say so, legacy weights and custom objects, and loads libraries. It
also picks members by rules of its own where two have similar names. So it is given an archive that is written here, of
members that are read strictly and whose every number is checked.
"""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import ModelError, UnsupportedError
from ...files import limits
from ...files.archive import Archive, open_archive, read
from .program import clean_program

# Parts of an archive that torch's loader unpickles or loads as native code.
_CODE = re.compile(
    r"(^|/)(custom_obj_|opaque_obj_)|^data/(aotinductor|executorch)/|^data/(weights|constants)/[^/]*\.pt$"
)
_PROGRAM = "models/model.json"
_WEIGHTS, _CONSTANTS = "data/weights/", "data/constants/"
_PAYLOADS = (
    (_WEIGHTS, "data/weights/model_weights_config.json", re.compile(r"weight_\d{1,9}")),
    (_CONSTANTS, "data/constants/model_constants_config.json", re.compile(r"tensor_\d{1,9}")),
)
_ITEM_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 2, 7: 4, 8: 8, 12: 1, 13: 2}  # by torch's number of a type
_STRIDED = 7  # torch's number of the only layout there is in such files
_NAME = re.compile(r"[\w/:+-]{1,250}(\.[\w/:+-]{1,250}){0,30}", re.ASCII)
_ROOT = "model"


def clean_archive(path: Path) -> bytes:
    """The bytes of an archive for `torch.export.load`.

    Raises:
        ModelError: no such archive, a damaged one, or two members that readers mix up.
        UnsupportedError: pickled objects, native code, weights that are not on the CPU, operators that edgekc lacks.
    """
    where = str(path)
    with open_archive(path, where, ModelError, "a torch.export program (no zip archive)") as archive:
        root = _root(archive)
        members = {name.removeprefix(root): name for name in archive.members}
        for name in members:
            if _CODE.search(name):
                raise _pickled(name, where)
            if name.startswith("models/") and name != _PROGRAM:
                raise UnsupportedError(f"holds a second program, {name[7:87]!r}; one is supported", where=where)
        total = sum(info.file_size for info in archive.members.values())
        if total > limits.unpacked_bytes():
            raise ModelError(limits.too_large("unpacks to", total), where=where, fix=limits.RAISE_LIMIT)
        if "byteorder" in members and read(archive, members["byteorder"], 16) != b"little":
            raise UnsupportedError("weights in big-endian order; little-endian ones are supported", where=where)
        content = {
            "archive_format": b"pt2",
            "archive_version": _text(archive, members, "archive_version", 16),
            ".data/version": b"6\n",
            "byteorder": b"little",
            _PROGRAM: clean_program(_text(archive, members, _PROGRAM, limits.MAX_JSON_BYTES), where),
            "data/sample_inputs/model.pt": b"",  # as torch writes where there are none
        }
        made = 0
        for folder, config, names in _PAYLOADS:
            raw = _text(archive, members, config, limits.MAX_JSON_BYTES)
            records, used, more = _payloads(raw, folder, names, members, archive, where)
            made += more
            content[config] = json.dumps({"config": records}).encode()
            content |= {folder + name: read(archive, members[folder + name]) for name in sorted(used)}
        if made > limits.MAX_MADE_BYTES:
            what = f"weights of {made:,} bytes more than the file holds (by strides of 0 or overlaps)"
            raise ModelError(what, where=where, fix="export tensors as they are, by .contiguous()")
    return _written(content)


def _written(content: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as clean:
        for name, data in content.items():
            clean.writestr(f"{_ROOT}/{name}", data)
    return buffer.getvalue()


def _root(archive: Archive) -> str:
    """The folder that all members lie in, with its slash; ModelError where this is another kind of archive."""
    name = next((n for n in archive.members if n == "archive_format" or n.endswith("/archive_format")), None)
    if name is None:
        raise ModelError(
            "not a torch.export program (a state dict, or written by an older torch)",
            where=archive.where,
            fix="save torch.export.export(model, inputs) with torch.export.save, torch 2.8 or newer",
        )
    root = name.removesuffix("archive_format")
    stray = next((n for n in archive.members if not n.startswith(root)), None)
    if stray is not None:
        raise ModelError(f"member {stray[:80]!r} lies outside of {root[:80]!r}", where=archive.where)
    if read(archive, name, 16) != b"pt2":
        raise ModelError("not a torch.export program (its archive_format is another)", where=archive.where)
    return root


def _text(archive: Archive, members: Mapping[str, str], name: str, limit: int) -> bytes:
    if name not in members:
        raise ModelError(
            f"not a sound torch.export program ({name} is missing)",
            where=archive.where,
            fix="save it with torch.export.save",
        )
    return read(archive, members[name], limit)


def _payloads(
    raw: bytes, folder: str, names: re.Pattern[str], members: Mapping[str, str], archive: Archive, where: str
) -> tuple[dict[str, Any], set[str], int]:
    """(records of tensors, the members that they use, bytes by which tensors exceed these)."""
    records: dict[str, Any] = {}
    sizes: dict[str, int] = {}
    needed = 0
    try:
        for key, record in json.loads(raw)["config"].items():
            at = f"{where}: tensor {key[:80]!r}"
            name = record["path_name"]
            if record["use_pickle"]:
                raise _pickled(f"{key}: {name}", where)
            if not _NAME.fullmatch(key) or not isinstance(name, str) or not names.fullmatch(name):
                raise ModelError(f"its data is {str(name)[:80]!r}, which is no name of tensor data", where=at)
            if folder + name not in members:
                raise ModelError(f"its data, {name}, is missing", where=at)
            sizes[name] = archive.members[members[folder + name]].file_size
            meta = _meta(record["tensor_meta"], sizes[name], at)
            records[key] = {
                "path_name": name, "is_param": bool(record["is_param"]), "use_pickle": False, "tensor_meta": meta,
            }  # fmt: skip
            needed += math.prod(size["as_int"] for size in meta["sizes"]) * _ITEM_BYTES[meta["dtype"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"its list of {folder} is damaged ({type(error).__name__}: {error})", where=where) from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"its list of {folder} is no JSON ({type(error).__name__})", where=where) from error
    return records, set(sizes), max(needed - sum(sizes.values()), 0)


def _meta(meta: Mapping[str, Any], nbytes: int, at: str) -> dict[str, Any]:
    """What a tensor is, checked against the bytes of its data."""
    dtype, device = meta["dtype"], meta["device"]
    if type(dtype) is not int or dtype not in _ITEM_BYTES:
        raise UnsupportedError(f"type number {dtype!r} of torch's; supported: integers, floats and bool", where=at)
    if device["type"] != "cpu":
        raise UnsupportedError(
            f"it lies on device {str(device['type'])[:40]!r}; supported: cpu", where=at, fix="export model.cpu()"
        )
    if meta["layout"] != _STRIDED:
        raise UnsupportedError("its layout is sparse; supported: dense tensors", where=at)
    sizes, strides = (_numbers(meta[key], at) for key in ("sizes", "strides"))
    (offset,) = _numbers([meta["storage_offset"]], at)
    if len(sizes) != len(strides):
        raise ModelError(f"{len(sizes)} sizes and {len(strides)} strides", where=at)
    last = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
    if math.prod(sizes) and (last + 1) * _ITEM_BYTES[dtype] > nbytes:
        raise ModelError(
            f"its shape {sizes}, strides {strides} and offset {offset} need {(last + 1) * _ITEM_BYTES[dtype]:,} bytes, "
            f"its data has {nbytes:,}",
            where=at,
        )
    return {
        "dtype": dtype, "sizes": [{"as_int": n} for n in sizes], "requires_grad": bool(meta["requires_grad"]),
        "device": {"type": "cpu", "index": None}, "strides": [{"as_int": n} for n in strides],
        "storage_offset": {"as_int": offset}, "layout": _STRIDED,
    }  # fmt: skip


def _numbers(found: Any, at: str) -> list[int]:
    """Sizes or strides; only those of activations may be symbols."""
    if not isinstance(found, list) or len(found) > 32:
        raise ModelError(f"its sizes are {str(found)[:80]}", where=at)
    numbers = [item["as_int"] for item in found]
    if any(type(n) is not int or not 0 <= n < 2**48 for n in numbers):
        raise ModelError(f"its sizes or strides are {str(numbers)[:80]}", where=at)
    return numbers


def _pickled(what: str, where: str) -> UnsupportedError:
    return UnsupportedError(
        f"the archive holds pickled objects or native code ({what[:80]}), which are not loaded; "
        "supported: plain tensors",
        where=where,
    )
