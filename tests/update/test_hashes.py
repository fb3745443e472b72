"""The C of SHA-256, SHA-512 and Ed25519 against published vectors, hashlib and the package cryptography."""

from __future__ import annotations

import ctypes
import hashlib
import random
from functools import lru_cache
from pathlib import Path

import pytest
from built import STRICT, shared_library
from update_device import FOLDER, monocypher

from edgekc.firmware.toolchain import host_compiler
from edgekc.update.status import TEXTS, text

# RFC 8032, section 7.1: secret key, public key, message, signature of tests 1, 2, 3 and "SHA(abc)".
RFC_8032 = (
    ("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
     "d25bf5f0595bbe24655141438e7a100b"),
    ("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
     "387b2eaeb4302aeeb00d291612bb0c00"),
    ("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
     "4a7c15e9716ed28dc027beceea1ec40a"),
    ("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
     "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
     "454d4423643ce80e2a9ac94fa54ca49f",
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030"
     "3dca179c138ac17ad9bef1177331a704"),
)  # fmt: skip
_BLOCKS = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"  # FIPS 180-4's examples, two blocks
_SHA256 = {
    b"": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    b"abc": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    _BLOCKS.encode(): "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    b"a" * 1_000_000: "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
}


class _Part(ctypes.Structure):
    _fields_ = (("data", ctypes.c_char_p), ("bytes", ctypes.c_uint32))


@lru_cache
def library(monocypher: Path | None = None) -> ctypes.CDLL:
    sources = [FOLDER / f"ek_{name}.c" for name in ("sha256", "sha512", "update", "update_text")]
    flags = ["-std=c99", "-O2", "-fPIC"] if monocypher else [*STRICT, "-fPIC"]
    if monocypher:
        sources += [FOLDER / "ek_ed25519_monocypher.c", monocypher / "monocypher.c"]
        flags.append(f"-I{monocypher}")
    return ctypes.CDLL(str(shared_library(host_compiler(), [*flags, f"-I{FOLDER}"], sources)))


def sha256(parts: list[bytes]) -> str:
    state, digest = ctypes.create_string_buffer(256), ctypes.create_string_buffer(32)
    library().ek_sha256_start(state)
    for part in parts:
        library().ek_sha256_add(state, part, ctypes.c_uint32(len(part)))
    library().ek_sha256_end(state, digest)
    return digest.raw.hex()


def test_sha256_of_published_messages() -> None:
    for message, digest in _SHA256.items():
        assert sha256([message]) == digest


def test_hashes_of_any_length_in_any_parts() -> None:
    chance = random.Random(1)
    for length in range(300):
        message = chance.randbytes(length)
        at = sorted(chance.randrange(length + 1) for _ in range(2))
        parts = [message[: at[0]], message[at[0] : at[1]], message[at[1] :]]
        assert sha256(parts) == hashlib.sha256(message).hexdigest()
        digest = ctypes.create_string_buffer(64)
        library().ek_sha512((_Part * 3)(*((p, len(p)) for p in parts)), ctypes.c_uint32(3), digest)
        assert digest.raw == hashlib.sha512(message).digest()


def test_texts_of_both_are_equal() -> None:
    said = library().ek_update_text
    said.restype = ctypes.c_char_p
    header = (FOLDER / "ek_update.h").read_text()
    for number, (name, words) in enumerate(TEXTS.items()):
        assert f"EK_UPDATE_{name} = {number}," in header
        assert said(number).decode() == words == text(number)
    assert said(len(TEXTS)).decode() == text(len(TEXTS)) == text(-1) == "unknown status"


def test_python_signs_as_the_rfc_does() -> None:
    pytest.importorskip("cryptography")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    for secret, public, message, signature in RFC_8032:
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret))
        assert key.public_key().public_bytes_raw().hex() == public
        assert key.sign(bytes.fromhex(message)).hex() == signature


def test_monocypher_accepts_what_cryptography_accepts() -> None:
    pytest.importorskip("cryptography")
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    check = library(monocypher()).ek_ed25519_check
    chance = random.Random(2)
    order = 2**252 + 27742317777372353535851937790883648493
    wrong = 0
    for _, public, message, signature in RFC_8032:
        right = tuple(map(bytes.fromhex, (signature, public, message)))
        cases = [
            right,
            (right[0][:32] + (int.from_bytes(right[0][32:], "little") + order).to_bytes(32, "little"), *right[1:]),
        ]
        for _ in range(60):
            part = chance.randrange(3)
            damaged = [bytearray(p) for p in right]
            if damaged[part]:
                damaged[part][chance.randrange(len(damaged[part]))] ^= 1 << chance.randrange(8)
            cases.append(tuple(map(bytes, damaged)))
        for case in cases:
            try:
                Ed25519PublicKey.from_public_bytes(case[1]).verify(case[0], case[2])
                expected = True
            except (InvalidSignature, ValueError):
                expected = False
            assert (check(*case, ctypes.c_uint32(len(case[2]))) == 0) == expected
            wrong += not expected
    assert wrong > 200
