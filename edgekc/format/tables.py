"""The field tables and the operators to the Markdown tables of docs/format.md; a test compares the two."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from ..graph.bounds import ROLE_DTYPES
from ..ops import OPS
from . import fields


def _markdown(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _fixed_table(record: tuple[fields.Field, ...]) -> str:
    rows, offset = [], 0
    types = {"B": "u8", "H": "u16", "I": "u32", "4s": "4 bytes"}
    for f in record:
        rows.append((str(offset), types[f.code], f"`{f.name}`", f.meaning))
        offset += struct.calcsize("<" + f.code)
    return _markdown(("offset", "type", "field", "meaning"), rows)


def tables() -> dict[str, str]:
    """The Markdown tables of docs/format.md by their marker."""
    roles = sorted(fields.ROLE_CODE.items(), key=lambda item: item[1])
    out = {"header": _fixed_table(fields.HEADER), "section-entry": _fixed_table(fields.SECTION_ENTRY)}
    out["kinds"] = _markdown(
        ("kind", "section", "holds"),
        [(str(int(k)), f"`{k.name.lower()}`", fields.KIND_MEANING[k]) for k in fields.Kind],
    )
    for name, parts in fields.RECORDS.items():
        out[f"record-{name}"] = _markdown(
            ("part", "encoding", "meaning"), [(f"`{p.name}`", p.encoding, p.meaning) for p in parts]
        )
    out["roles"] = _markdown(
        ("role", "name", "dtypes"),
        [(str(code), f"`{role.value}`", ", ".join(ROLE_DTYPES[role])) for role, code in roles],
    )
    out["dtypes"] = _markdown(
        ("dtype", "name"), [(str(code), f"`{name}`") for code, name in sorted(fields.DTYPE_OF.items())]
    )
    out["operators"] = _markdown(
        ("op", "name", "operands", "attributes"),
        [
            (str(op.code), f"`{op.name}`", ", ".join(map(str, op.operands)), ", ".join(op.attrs))
            for op in sorted(OPS.values(), key=lambda op: op.code)
        ],
    )
    return out
