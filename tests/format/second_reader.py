"""A reader of .ekc written from docs/format.md alone: it shares no line with edgekc, and trusts the file."""

from __future__ import annotations

import json
import re
import struct
import zlib
from pathlib import Path
from typing import Any

ITEM = {1: ("int8", "b", 1), 2: ("uint8", "B", 1), 3: ("int16", "h", 2), 4: ("int32", "i", 4), 5: ("float16", "e", 2)}
ROLES = ("activation", "weights", "bias", "requant", "codebook", "index", "pairs", "centers")


def operators(doc: Path) -> dict[int, tuple[str, list[str]]]:
    """Number -> (name, attribute names), from the page's table."""
    table = doc.read_text(encoding="utf-8").split("<!-- table: operators -->")[1].split("<!-- end -->")[0]
    rows = [[c.strip() for c in line.split("|")[1:-1]] for line in table.splitlines() if re.match(r"\| \d", line)]
    return {int(code): (name.strip("`"), [a for a in attrs.split(", ") if a]) for code, name, _, attrs in rows}


class Reader:
    def __init__(self, data: bytes) -> None:
        assert data[:4] == b"EKC\x1a" and data[4] == 1
        count, total, crc = struct.unpack_from("<HII", data, 6)
        assert total == len(data) and zlib.crc32(data[:12] + data[16 : 16 + 16 * count]) == crc
        self.sections: dict[int, bytes] = {}
        for i in range(count):
            kind, offset, nbytes, crc = struct.unpack_from("<IIII", data, 16 + 16 * i)
            self.sections[kind] = data[offset : offset + nbytes]
            assert zlib.crc32(self.sections[kind]) == crc
        self.used = dict.fromkeys(self.sections, 0)
        self.tensors: list[dict[str, Any]] = []
        self.strings: list[bytes] = []

    def byte(self) -> int:
        self.used[8] += 1
        return self.sections[8][self.used[8] - 1]

    def varint(self) -> int:
        byte = self.byte()
        return byte if byte < 128 else byte - 128 + 128 * self.varint()

    def svarint(self) -> int:
        n = self.varint()
        return n // 2 if n % 2 == 0 else -(n + 1) // 2

    def many(self, read: Any) -> list[Any]:
        return [read() for _ in range(self.varint())]

    def string(self) -> bytes:
        shared, length = self.varint(), self.varint()
        text = (self.strings[-1] if self.strings else b"")[:shared] + bytes(self.byte() for _ in range(length))
        self.strings.append(text)
        return text

    def name(self) -> str:
        return self.strings[self.varint()].decode()

    def type(self) -> dict[str, Any]:
        tag = self.byte()
        out: dict[str, Any] = {"flag": tag >> 7, "role": ROLES[tag >> 4 & 7], "item": ITEM[tag & 15]}
        out["bits"] = self.byte() if out["role"] == "index" else 0
        out["name"] = self.name() if out["role"] != "activation" else ""
        out["shape"] = self.many(self.varint)
        return out

    def activation(self) -> str:
        t = dict(self.types[self.varint()])
        t["name"] = self.name()
        if t["flag"]:
            scale = struct.unpack("<f", bytes(self.byte() for _ in range(4)))[0]
            t["quant"] = (scale, self.svarint())
        self.tensors.append(t)
        return str(t["name"])

    def operand(self, node: str) -> str:
        link = self.varint()
        if link % 2 == 0:
            return str(self.tensors[-(link // 2)]["name"])
        t = dict(self.types[link // 2])
        if not t["flag"]:
            t["name"] = f"{node}/{t['name']}"
        count = 1
        for size in t["shape"]:
            count *= size
        if t["role"] == "centers":
            t["points"] = [self.svarint() for _ in range(t["shape"][0])]
        t["value"] = self.constant(ROLES.index(t["role"]), t, count)
        self.tensors.append(t)
        return str(t["name"])

    def constant(self, kind: int, t: dict[str, Any], count: int) -> list[Any]:
        start = (self.used[kind] + 3) // 4 * 4
        _, code, size = t["item"]
        nbytes = (count * t["bits"] + 7) // 8 if t["bits"] else count * size
        raw = self.sections[kind][start : start + nbytes]
        self.used[kind] = start + nbytes
        if not t["bits"]:
            return list(struct.unpack(f"<{count}{code}", raw))
        stream = int.from_bytes(raw, "little")
        return [stream >> i * t["bits"] & (1 << t["bits"]) - 1 for i in range(count)]

    def node(self) -> dict[str, Any]:
        out: dict[str, Any] = {**self.operations[self.varint()], "name": self.name()}
        out["operands"] = self.many(lambda: self.operand(out["name"]))
        out["results"] = self.many(self.activation)
        return out

    def state(self, name: str) -> dict[str, Any]:
        end = self.tensors[-self.varint()]["name"]
        t = next(t for t in self.tensors if t["name"] == name)
        size = t["item"][2]
        for length in t["shape"]:
            size *= length
        whole = self.byte()
        raw = bytes(self.byte() for _ in range(size if whole else 1))
        return {"end": end, "first": raw if whole else raw * size}

    def graph(self) -> dict[str, Any]:
        self.many(self.string)
        self.types = self.many(self.type)
        self.operations = self.many(lambda: {"op": self.varint(), "attributes": self.many(self.svarint)})
        out: dict[str, Any] = {"name": self.name(), "inputs": self.many(self.activation)}
        out["nodes"] = self.many(self.node)
        out["outputs"] = self.many(lambda: self.tensors[-self.varint()]["name"])
        here = self.used[8] < len(self.sections[8])
        count = self.varint() if here else 0
        out["states"] = [self.state(name) for name in out["inputs"][len(out["inputs"]) - count :]]
        out["metadata"] = json.loads(self.sections[9])
        assert all(self.used[kind] == len(body) for kind, body in self.sections.items() if kind != 9)
        return out
