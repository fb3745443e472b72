"""edgekc's check of Ed25519 signatures against the package cryptography, RFC 8032, and Python's integers."""

from __future__ import annotations

import ctypes
import random
from functools import lru_cache

import pytest
from built import STRICT, shared_library
from test_hashes import RFC_8032
from update_device import FOLDER, HERE

from edgekc.firmware.toolchain import host_compiler

pytest.importorskip("cryptography")

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
EDGES = [
    0,
    1,
    2,
    18,
    19,
    20,
    37,
    38,
    39,
    P - 1,
    P,
    P + 1,
    2**255 - 1,
    2**255,
    2 * P - 1,
    2 * P,
    2**256 - 38,
    2**256 - 1,
]
Case = tuple[bytes, bytes, bytes]  # signature, key, message


@lru_cache
def library() -> ctypes.CDLL:
    sources = [HERE / "ed25519_numbers.c", FOLDER / "ek_sha512.c"]
    return ctypes.CDLL(str(shared_library(host_compiler(), [*STRICT, "-fPIC", f"-I{FOLDER}"], sources)))


def accepts(case: Case) -> bool:
    return int(library().ek_ed25519_check(*case, ctypes.c_uint32(len(case[2])))) == 0


def right(case: Case) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(case[1]).verify(case[0], case[2])
    except (InvalidSignature, ValueError):
        return False
    return True


def computed(name: str, *numbers: int) -> int:
    out = ctypes.create_string_buffer(32)
    getattr(library(), f"test_{name}")(out, *(number.to_bytes(32, "little") for number in numbers))
    return int.from_bytes(out.raw, "little")


def test_numbers_are_those_of_python() -> None:
    """Where a carry or a borrow comes twice, too, which no signature meets by chance."""
    chance = random.Random(1)
    numbers = EDGES + [chance.getrandbits(256) for _ in range(40)] + [2**256 - 1 - chance.getrandbits(20)]
    for a in numbers:
        for b in numbers:
            assert computed("add", a, b) % P == (a + b) % P
            assert computed("subtract", a, b) % P == (a - b) % P
            assert computed("multiply", a, b) % P == a * b % P
        assert computed("power", a) % P == pow(a, (P - 5) // 8, P)
        held = ctypes.create_string_buffer(a.to_bytes(32, "little"), 32)
        library().test_reduce(held)
        assert int.from_bytes(held.raw, "little") == a % P
    for wide in [0, ORDER - 1, ORDER, 2**512 - 1, *(chance.getrandbits(512) for _ in range(40))]:
        out = ctypes.create_string_buffer(32)
        library().test_reduce_by_order(out, wide.to_bytes(64, "little"))
        assert int.from_bytes(out.raw, "little") == wide % ORDER


def test_the_vectors_of_the_rfc() -> None:
    for _, public, message, signature in RFC_8032:
        assert accepts((bytes.fromhex(signature), bytes.fromhex(public), bytes.fromhex(message)))


@pytest.mark.parametrize("count", [30, pytest.param(1500, marks=pytest.mark.slow)])
def test_it_accepts_what_cryptography_accepts(count: int) -> None:
    chance = random.Random(count)
    taken = 0
    for _ in range(count):
        key = Ed25519PrivateKey.from_private_bytes(chance.randbytes(32))
        message = chance.randbytes(chance.randrange(200))
        signature, public = key.sign(message), key.public_key().public_bytes_raw()
        s = int.from_bytes(signature[32:], "little")
        cases = [
            (signature, public, message),
            (signature[:32] + (s + ORDER).to_bytes(32, "little"), public, message),  # malleable
            (signature[:31] + bytes([signature[31] ^ 0x80]) + signature[32:], public, message),
            (signature, public[:31] + bytes([public[31] ^ 0x80]), message),  # the negative key
            (signature, public, message + b"x"),
        ]
        for _ in range(3):
            parts = [bytearray(signature), bytearray(public)]
            part = chance.choice(parts)
            part[chance.randrange(len(part))] ^= 1 << chance.randrange(8)
            cases.append((bytes(parts[0]), bytes(parts[1]), message))
        for case in cases:
            assert accepts(case) == right(case)
            taken += accepts(case)
    assert taken == count  # the first of each


def test_keys_that_are_no_points_or_not_reduced() -> None:
    """RFC 8032, section 5.1.3: a y that is not below p, a y without an x, and a negative 0."""
    message = b"message"
    signature = Ed25519PrivateKey.from_private_bytes(bytes(32)).sign(message)
    none = next(y for y in range(2, 100) if not _has_x(y))
    for y in (P + 1, 2**255 - 1, none, 1 | 1 << 255):
        assert not accepts((signature, y.to_bytes(32, "little"), message))


def _has_x(y: int) -> bool:
    d = -121665 * pow(121666, -1, P)
    square = (y * y - 1) * pow(d * y * y + 1, -1, P) % P
    return pow(square, (P - 1) // 2, P) in (0, 1)
