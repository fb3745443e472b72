"""Damage to bytes: blind, and by the structure of zip, .npy, JSON, TOML, protobuf and .ekc, checksums made right."""

from __future__ import annotations

import io
import json
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

Mutate = Callable[[random.Random, bytes], bytes]
_SIZES = {1: "<B", 2: "<H", 4: "<I", 8: "<Q"}
_NUMBERS = (0, 1, 2, 3, 7, 8, 15, 16, 127, 128, 255, 256, 32767, 65535, 65536, 1 << 20, (1 << 24) + 1, (1 << 31) - 1,
            1 << 31, (1 << 32) - 1, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)  # fmt: skip
_JSON_VALUES = (None, True, False, 0, 1, -1, 2, 255, 65536, -(2**31), 2**31, 2**40, 2**63, -(2**63) - 1, 10**30, 0.5,
                1e308, float("inf"), float("nan"), "", "x", "../x", "\x00", "\ud800", "é" * 40, "a b", "1e9", [], {},
                [[]], {"": None})  # fmt: skip
_NAMES = ("x.npy", "X.npy", "../x", "/x", "a\\b", "x" * 300, "é.npy", "", "model.json", "y.npy")
_TYPES = ("'<f4'", "'>i2'", "'|O'", "'<U9'", "'|V0'", "'<c16'", "'<f8,<f8'", "'|S'", "'<M8[s]'")
_SHAPES = ("()", "(1,)", "(0,)", "(1, 1, 1, 1)", "(99999999999,)", "(1, 0, 3)", "(" + "1, " * 40 + ")")
_TOML_VALUES = ("1", "-1", "1e400", "nan", "inf", "9" * 5000, '""', '"x"', "[]", "{}", "true", "1979-05-27", "[" * 400,
                "0x7fffffffffffffffffff", '"\\ud800"', '"""', "{a = {b = 1}}", "[1, 'x', {}]", "07:32:00")  # fmt: skip


def blind(rng: random.Random, data: bytes) -> bytes:
    """One to four changes that know nothing of the format."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        _blind_once(rng, out)
    return bytes(out)


def _blind_once(rng: random.Random, out: bytearray) -> None:
    if not out:
        out += bytes(rng.randrange(256) for _ in range(rng.randrange(40)))
        return
    at = rng.randrange(len(out))
    kind = rng.randrange(8)
    if kind == 0:
        out[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        out[at] = rng.randrange(256)
    elif kind == 2:
        del out[at:]
    elif kind == 3:
        del out[at : at + rng.choice((1, 2, 4, 16, 100))]
    elif kind == 4:
        start = rng.randrange(len(out))
        out[at:at] = out[start : start + rng.choice((1, 4, 16, 64))]
    elif kind == 5:
        start = rng.randrange(len(out))
        piece = out[start : start + rng.choice((4, 16, 64))]
        out[at : at + len(piece)] = piece
    elif kind == 6:
        number(rng, out, at)
    else:
        out[at : at + 4] = rng.choice((b"\0" * 4, b"\xff" * 4, b"\x7f" * 4, b"    ", b"9999"))


def number(rng: random.Random, out: bytearray, at: int) -> None:
    """A little-endian field of 1 to 8 bytes becomes an interesting number, or one that is near what it was."""
    size = rng.choice((1, 2, 4, 4, 4, 8))
    at -= at % size if rng.random() < 0.8 else 0
    at = max(min(at, len(out) - size), 0)
    if len(out) < size:
        return
    (old,) = struct.unpack_from(_SIZES[size], out, at)
    new = old + rng.choice((-8, -4, -1, 1, 4, 8)) if rng.random() < 0.4 else rng.choice((*_NUMBERS, len(out)))
    struct.pack_into(_SIZES[size], out, at, new % (1 << 8 * size))


def numbers(rng: random.Random, data: bytes) -> bytes:
    """Fields of 4 bytes, as flatbuffers have them."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        if out:
            number(rng, out, rng.randrange(len(out)))
    return bytes(out)


def zipped(inner: Callable[[str], Mutate]) -> Mutate:
    """The archive written anew with one member changed, so that its checksum is right; or its directory changed."""

    def mutate(rng: random.Random, data: bytes) -> bytes:
        kind = rng.randrange(10)
        if kind == 0:
            return blind(rng, data)
        if kind == 1:
            return _directory(rng, data)
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                members = [(info.filename, archive.read(info)) for info in archive.infolist()]
        except Exception:
            return blind(rng, data)
        if not members:
            return blind(rng, data)
        at = rng.randrange(len(members))
        name, content = members[at]
        if kind == 2:
            members.append((rng.choice((name, name.upper(), *_NAMES)), content))
        elif kind == 3:
            del members[at]
        elif kind == 4:
            members[at] = (rng.choice(_NAMES), content)
        else:
            members[at] = (name, inner(name)(rng, content))
        buffer = io.BytesIO()
        method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for name, content in members:
                archive.writestr(zipfile.ZipInfo(name), content, method)
        packed = buffer.getvalue()
        return _directory(rng, packed) if rng.random() < 0.1 else packed

    return mutate


def _directory(rng: random.Random, data: bytes) -> bytes:
    """A field of a local or central header: sizes, methods, flags, checksums, offsets."""
    out = bytearray(data)
    places = [m.start() for m in re.finditer(rb"PK(\x01\x02|\x03\x04|\x05\x06)", data)]
    if places:
        at = rng.choice(places)
        number(rng, out, at + rng.randrange(4, 46))
    return bytes(out)


def npy(rng: random.Random, data: bytes) -> bytes:
    """The text of the header, its length, or the data."""
    if rng.random() < 0.3 or len(data) < 12:
        return blind(rng, data)
    size = int.from_bytes(data[8:10], "little")
    head, rest = data[10 : 10 + size].decode("latin-1"), data[10 + size :]
    changes = (
        (r"\d+", str(rng.choice(_NUMBERS))),
        (r"\d+", "-1"),
        (r"'[<>|=]\w+'", rng.choice(_TYPES)),
        (r"True|False", rng.choice(("True", "False", "None", "1"))),
        (r"\(.*?\)", rng.choice(_SHAPES)),
        (r"'shape'", rng.choice(("'shape', 'shape'", "'x'", ""))),
        (r"\}", rng.choice(("", "}}", "} + __import__('os')", "{" * 200))),
    )  # fmt: skip
    pattern, text = rng.choice(changes)
    head = re.sub(pattern, lambda _: text, head, count=1)
    raw = head.encode("latin-1")
    if rng.random() < 0.5:
        raw += b" " * (-(10 + len(raw)) % 64)
    return data[:6] + bytes((rng.choice((1, 1, 1, 2, 3)), 0)) + len(raw).to_bytes(2, "little") + raw + rest


def js(rng: random.Random, data: bytes) -> bytes:
    """A value somewhere in a JSON document, or a key."""
    if rng.random() < 0.1:
        return blind(rng, data)
    if rng.random() < 0.02:
        return b"[" * 100_000
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return blind(rng, data)
    holder = {"": tree}
    for _ in range(rng.choice((1, 1, 2))):
        change_json(rng, holder)
    try:
        return json.dumps(holder[""]).encode()
    except (ValueError, RecursionError):
        return b"{}"


def change_json(rng: random.Random, holder: dict[str, Any]) -> None:
    """One change somewhere below the holder's value."""
    node: Any = holder
    key: Any = ""
    while isinstance(node[key], (dict, list)) and node[key] and rng.random() < 0.9:
        node = node[key]
        key = rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
    old = node[key]
    kind = rng.randrange(6)
    if kind == 0 and node is not holder:
        del node[key]
    elif kind == 1 and isinstance(node, dict) and node is not holder:
        node[rng.choice(("", "x", "__class__", f"{key} ", "é"))] = node.pop(key)
    elif kind == 2 and isinstance(node, list):
        node.insert(key, old)
    elif kind == 3 and isinstance(old, int):
        node[key] = old + rng.choice((-1, 1, 4, -(2**31), 2**31))
    elif kind == 3 and isinstance(old, str):
        node[key] = rng.choice((old + old, old[::-1], old + "'", old + ".x", old.upper(), old + "\n", f"[{old}]"))
    else:
        node[key] = rng.choice(_JSON_VALUES)


def toml(rng: random.Random, data: bytes) -> bytes:
    """Lines moved, doubled and dropped; values of other types; bytes that are no text."""
    if rng.random() < 0.2:
        return blind(rng, data)
    lines = data.decode("utf-8", "replace").split("\n")
    for _ in range(rng.choice((1, 1, 2))):
        at = rng.randrange(len(lines))
        kind = rng.randrange(8)
        if kind == 0:
            del lines[at]
            lines = lines or [""]
        elif kind == 1:
            lines.insert(at, rng.choice(lines))
        elif kind == 2:
            lines.insert(
                at, rng.choice(("[x]", "[[compress]]", "[memory]", "a.b.c = 1", "\x00", "x = '''", "= 1", '"" = 1'))
            )
        elif kind == 3 and "=" in lines[at]:
            lines[at] = lines[at].split("=")[0] + "= " + rng.choice(_TOML_VALUES)
        elif kind == 4:
            lines[at] = re.sub(r"\d+", lambda _: str(rng.choice(_NUMBERS)), lines[at])
        elif kind == 5:
            lines[at] = re.sub(r"\w+", lambda m: m[0] + rng.choice(("", "_", "x")), lines[at], count=1)
        elif kind == 6:
            other = rng.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        else:
            lines[at] = lines[at] + rng.choice((" # é", ' "', "]", "\t\x01", "\u202e", "\ufeff"))
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def protobuf(rng: random.Random, data: bytes) -> bytes:
    """A field at any depth: its number, its value, its place, its being there; the lengths around it are made right."""
    if rng.random() < 0.15:
        return blind(rng, data)
    fields = _fields(data)
    if fields is None:
        return blind(rng, data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        _field_once(rng, fields, 0)
    return _message(fields)


Field = list[Any]  # [number, wire type, value]; a value of wire type 2 is bytes or a list of fields


def _fields(data: bytes) -> list[Field] | None:
    out: list[Field] = []
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number_, wire = key >> 3, key & 7
        if at < 0 or number_ == 0 or number_ > 1000:
            return None
        if wire == 0:
            value, at = _varint(data, at)
            if at < 0:
                return None
            out.append([number_, wire, value])
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
            if at + size > len(data):
                return None
            out.append([number_, wire, data[at : at + size]])
            at += size
        elif wire == 2:
            size, at = _varint(data, at)
            if at < 0 or at + size > len(data):
                return None
            body = data[at : at + size]
            printable = body.isascii() and all(32 <= c < 127 for c in body)
            out.append([number_, wire, body if printable or size < 2 else (_fields(body) or body)])
            at += size
        else:
            return None
    return out


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 64:
        value |= (data[at] & 127) << shift
        at += 1
        if data[at - 1] < 128:
            return value, at
        shift += 7
    return 0, -1


def _leb(value: int) -> bytes:
    out = bytearray()
    value %= 1 << 64
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _message(fields: list[Field]) -> bytes:
    out = bytearray()
    for number_, wire, value in fields:
        out += _leb(number_ << 3 | wire)
        if wire == 0:
            out += _leb(value)
        elif wire == 2:
            body = _message(value) if isinstance(value, list) else value
            out += _leb(len(body)) + body
        else:
            out += value
    return bytes(out)


def _field_once(rng: random.Random, fields: list[Field], depth: int) -> None:
    if not fields:
        return
    at = rng.randrange(len(fields))
    field = fields[at]
    if isinstance(field[2], list) and field[2] and rng.random() < 0.9:
        _field_once(rng, field[2], depth + 1)
        return
    kind = rng.randrange(7)
    if kind == 0:
        del fields[at]
    elif kind == 1:
        fields.insert(rng.randrange(len(fields)), [field[0], field[1], field[2]])
    elif kind == 2:
        field[0] = max(field[0] + rng.choice((-1, 1, 2)), 1)
    elif field[1] == 0:
        field[2] = rng.choice((*_NUMBERS, field[2] + 1, -1, -2))
    elif field[1] == 2 and isinstance(field[2], bytes):
        words = (b"", b"x", b"Tile", b"Expand", b"Range", b"ConstantOfShape", b"Gather", b"Concat", b"Pad", b"Resize",
                 b"Reshape", b"../x", b"\xff\xfe", b"a" * 300)  # fmt: skip
        field[2] = (
            rng.choice(words) if rng.random() < 0.3 else (blind if rng.random() < 0.5 else numbers)(rng, field[2])
        )
    elif field[1] in (1, 5):
        field[2] = rng.choice((b"\0", b"\xff", b"\x7f", b"\x80")) * len(field[2])
    else:
        field[2] = blind(rng, _message(field[2]))


def ekc(rng: random.Random, data: bytes) -> bytes:
    """A section changed, and all checksums made right: what a program wrote that does not know the rules."""
    if rng.random() < 0.05:
        return blind(rng, data)
    from edgekc.format import container

    try:
        sections = container.split(data, "seed")
    except Exception:
        return blind(rng, data)
    bodies = {s.kind: data[s.offset : s.offset + s.nbytes] for s in sections}
    # Mostly the graph, which is small beside its weights.
    kind = rng.choice([*bodies, *[k for k in bodies if k.name == "GRAPH"] * 6])
    change = js if kind.name == "METADATA" and rng.random() < 0.7 else rng.choice((blind, numbers))
    bodies[kind] = change(rng, bodies[kind])
    return container.join(bodies)


def frames(rng: random.Random, data: bytes) -> bytes:
    """The payload of one console frame after the other, checksums made right."""
    from edgekc.console.protocol import MAGIC, Decoder, Frame, encode

    if rng.random() < 0.3:
        return blind(rng, data)
    out = b""
    for frame in Decoder().feed(data):
        payload = blind(rng, frame.payload)[:512] if rng.random() < 0.5 else frame.payload
        kind = rng.randrange(256) if rng.random() < 0.1 else frame.kind
        out += encode(Frame(kind, frame.sequence, payload)) + rng.choice((b"", b"", MAGIC, b"\0" * 9))
    return out


def png(rng: random.Random, data: bytes) -> bytes:
    """A chunk of a PNG changed, and its checksum made right; blind for other images."""
    if data[:4] != b"\x89PNG" or rng.random() < 0.3:
        return blind(rng, data)
    chunks, at = [], 8
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += 12 + size
    if not chunks:  # cut short by an earlier change
        return blind(rng, data)
    k = rng.randrange(len(chunks))
    kind, body = chunks[k]
    if kind == b"IDAT" and rng.random() < 0.5:
        try:
            pixels = zlib.decompress(body)
        except zlib.error:  # of a file that is damaged already
            pixels = body
        body = zlib.compress(blind(rng, pixels) * rng.choice((1, 1, 50)))
    else:
        body = blind(rng, body)
    if rng.random() < 0.1:
        kind = rng.choice((b"tEXt", b"zTXt", b"iCCP", b"PLTE", b"acTL", b"fdAT", b"IHDR", b"tRNS"))
    chunks[k] = (kind, body)
    out = data[:8]
    for kind, body in chunks:
        out += len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
    return out
