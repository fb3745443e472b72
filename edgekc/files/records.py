"""Records (dataclasses of arrays, numbers and names) to the bytes of an .npz and back: what a pickle would do, as data.

The types of the fields say what is read: nothing in a file names a class, and a value of another type is an error.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import io
import json
import types
import typing
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import EdgekcError, UsageError
from ..graph.ir import Array
from .npy import read_npz, write_npz

_TREE = "tree"
_MAX_DEPTH = 60
_PLAIN = (bool, int, float, str)


def dump(value: Any, hint: Any) -> bytes:
    """The bytes of a value of the type `hint`."""
    arrays: list[Array] = []
    tree = _encode(value, hint, arrays, {})
    text = np.frombuffer(json.dumps(tree).encode(), np.uint8)
    return write_npz({_TREE: text, **{f"a{i}": a for i, a in enumerate(arrays)}})


def load(data: bytes, hint: Any, where: str) -> Any:
    """The value of type `hint` in these bytes.

    Raises:
        UsageError: they hold anything else.
    """
    arrays = read_npz(io.BytesIO(data), where, UsageError)
    try:
        tree = json.loads(arrays[_TREE].tobytes())
    except (KeyError, ValueError, RecursionError) as error:
        raise UsageError(f"is damaged ({type(error).__name__})", where=where) from error
    return _decode(tree, hint, arrays, _At(where, "", 0))


def of_json(tree: Any, hint: Any, where: str) -> Any:
    """The value of type `hint` in a JSON document that was read: objects are dataclasses, mappings are lists of pairs.

    Raises:
        UsageError: it is anything else.
    """
    return _decode(tree, hint, {}, _At(where, "", 0))


@dataclasses.dataclass(frozen=True, slots=True)
class _At:
    """Where a value stands, for errors."""

    where: str
    path: str
    depth: int

    def under(self, key: object) -> _At:
        if self.depth > _MAX_DEPTH:
            raise UsageError("is nested too deeply", where=self.where)
        return _At(self.where, f"{self.path}.{str(key)[:60]}", self.depth + 1)

    def wrong(self, value: Any, expected: str) -> EdgekcError:
        place = self.path.lstrip(".") or "it"
        return UsageError(f"{place} is {str(value)[:60]!r}, expected {expected}", where=self.where)


@functools.cache
def _fields(kind: type) -> dict[str, Any]:
    """The fields of a dataclass and their types."""
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _encode(value: Any, hint: Any, arrays: list[Array], seen: dict[int, int]) -> Any:
    if isinstance(value, np.ndarray):
        if id(value) not in seen:
            seen[id(value)] = len(arrays)
            arrays.append(value)  # kept there, so that no other array gets its id
        return {"array": seen[id(value)]}
    if hint is Any:
        return _encode_any(value, arrays, seen)
    if value is None:
        return None
    hint = _without_none(hint)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {key: _encode(getattr(value, key), kind, arrays, seen) for key, kind in _fields(type(value)).items()}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return [[key, _encode(item, args[1], arrays, seen)] for key, item in value.items()]
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        kinds = args[:1] * len(value) if origin is tuple and args[-1] is Ellipsis else args
        return [_encode(item, kind, arrays, seen) for item, kind in zip(value, kinds, strict=True)]
    return _number(value)


def _number(value: Any) -> Any:
    """Python's own number for numpy's."""
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, _PLAIN):
        raise TypeError(f"a {type(value).__name__} cannot be kept")
    return value


def _encode_any(value: Any, arrays: list[Array], seen: dict[int, int]) -> Any:
    """A tree whose types nobody states: lists say what they are."""
    if isinstance(value, Mapping):
        return ["dict", *([_number(key), _encode(item, Any, arrays, seen)] for key, item in value.items())]
    if isinstance(value, (list, tuple)):
        return ["list" if isinstance(value, list) else "tuple", *(_encode(item, Any, arrays, seen) for item in value)]
    return None if value is None else _number(value)


def _without_none(hint: Any) -> Any:
    """X of `X | None`."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        kinds = [kind for kind in typing.get_args(hint) if kind is not type(None)]
        return kinds[0] if len(kinds) == 1 else typing.Union[tuple(kinds)]  # noqa: UP007 - of kinds that vary
    return hint


def _decode(tree: Any, hint: Any, arrays: Mapping[str, Array], at: _At) -> Any:
    if hint is Any:
        return _decode_any(tree, arrays, at)
    kinds = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    if tree is None:
        if type(None) in kinds:
            return None
        raise at.wrong(tree, "a value")
    hint = _without_none(hint)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is np.ndarray:
        return _array(tree, arrays, at)
    if dataclasses.is_dataclass(hint):
        fields = _fields(typing.cast(type, hint))
        if not isinstance(tree, dict) or tree.keys() != fields.keys():
            raise at.wrong(tree, f"the fields {', '.join(fields)}")
        return hint(**{key: _decode(tree[key], kind, arrays, at.under(key)) for key, kind in fields.items()})  # type: ignore[operator]
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        if tree not in [member.value for member in hint]:
            raise at.wrong(tree, f"one of {', '.join(str(member.value) for member in hint)}")
        return hint(tree)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {key: _decode(item, args[1], arrays, at.under(key)) for key, item in _pairs(tree, args[0], at)}
    if origin in (tuple, frozenset):
        if not isinstance(tree, list):
            raise at.wrong(tree, "a list")
        kinds = args[:1] * len(tree) if origin is frozenset or args[-1] is Ellipsis else args
        if len(kinds) != len(tree):
            raise at.wrong(tree, f"{len(kinds)} values")
        items = [
            _decode(item, kind, arrays, at.under(i)) for i, (item, kind) in enumerate(zip(tree, kinds, strict=True))
        ]
        return origin(items)
    return _plain(tree, kinds, at)


def _plain(tree: Any, kinds: tuple[Any, ...], at: _At) -> Any:
    """A number or a text; an integer stands for a float, as JSON has it."""
    if type(tree) in kinds:
        return tree
    if float in kinds and type(tree) is int and abs(tree) < 2**53:
        return float(tree)
    names = " or ".join(getattr(kind, "__name__", str(kind)) for kind in kinds)
    raise at.wrong(tree, names)


def _pairs(tree: Any, kind: Any, at: _At) -> list[tuple[Any, Any]]:
    """The keys and values of a mapping."""
    if not isinstance(tree, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in tree):
        raise at.wrong(tree, "pairs")
    if any(type(key) is not kind for key, _ in tree) or len({key for key, _ in tree}) != len(tree):
        raise at.wrong(tree, f"distinct keys of type {kind.__name__}")
    return [(key, item) for key, item in tree]


def _decode_any(tree: Any, arrays: Mapping[str, Array], at: _At) -> Any:
    if tree is None or isinstance(tree, _PLAIN):
        return tree
    if isinstance(tree, dict):
        return _array(tree, arrays, at)
    if not tree or tree[0] not in ("dict", "list", "tuple"):
        raise at.wrong(tree, "a dict, list or tuple")
    if tree[0] != "dict":
        items = [_decode_any(item, arrays, at.under(i)) for i, item in enumerate(tree[1:])]
        return items if tree[0] == "list" else tuple(items)
    pairs = tree[1:]
    if not all(isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], (str, int)) for pair in pairs):
        raise at.wrong(tree, "pairs")
    return {key: _decode_any(item, arrays, at.under(key)) for key, item in pairs}


def _array(tree: Any, arrays: Mapping[str, Array], at: _At) -> Array:
    number = tree.get("array") if isinstance(tree, dict) else None
    if type(number) is not int or f"a{number}" not in arrays:
        raise at.wrong(tree, "an array of this file")
    array: Array = arrays[f"a{number}"].copy()  # that may be written to
    return array
