"""`edgekc keygen`, `sign` and `check-signature`: what they write, and one line for each mistake."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
from cli_command import MODEL, call, complaint, snapshot

import edgekc
from edgekc.update.header import HEADER_BYTES

pytest.importorskip("cryptography")

NETWORK = "00112233445566778899aabbccddeeff"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Keys k and other, payloads old and new."""
    for name in ("k", "other"):
        edgekc.make_keys(tmp_path / name)
    (tmp_path / "old").write_bytes(bytes(range(256)) * 8)
    (tmp_path / "new").write_bytes(bytes(range(256)) * 7 + b"x" * 256)
    return tmp_path


def sign(
    folder: Path, *words: str | Path, payload: str = "new", key: str = "k", output: str = "u", sequence: str = "2"
) -> Any:
    return call(
        "sign", folder / payload, "--key", folder / key, "--sequence", sequence, "--network-of", NETWORK,
        "-o", folder / output, *words,
    )  # fmt: skip


def test_keys_are_for_their_owner_alone_and_stay(tmp_path: Path) -> None:
    made = json.loads(call("keygen", tmp_path / "k", "--json").out)
    assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == 0o600
    assert len(bytes.fromhex(made["key"])) == 32
    before = snapshot(tmp_path)
    assert "a key is never overwritten" in complaint(call("keygen", tmp_path / "k"))
    (tmp_path / "k").unlink()
    assert "k.pub: exists" in complaint(call("keygen", tmp_path / "k"))
    assert snapshot(tmp_path) == {"k.pub": before["k.pub"]}
    assert "cannot be written" in complaint(call("keygen", tmp_path / "nowhere" / "k"))


def test_a_signed_file_is_checked(folder: Path) -> None:
    made = json.loads(sign(folder, "--security-counter", "3", "--json").out)
    checked = json.loads(call("check-signature", folder / "u", "--key", folder / "k.pub", "--json").out)
    assert made == checked
    assert (checked["sequence"], checked["security_counter"], checked["network"]) == (2, 3, NETWORK)
    assert (folder / "u").stat().st_size == HEADER_BYTES + 2048
    shown = call("check-signature", folder / "u", "--key", folder / "k").out  # the private key has the public one in it
    assert "signature and payload" in shown


def test_changes_are_small_and_checked_with_what_they_change(folder: Path) -> None:
    made = json.loads(sign(folder, "--delta-from", folder / "old", "--json").out)
    assert made["delta"] and made["file_bytes"] < HEADER_BYTES + 300 and made["payload_checked"]
    check = ("check-signature", folder / "u", "--key", folder / "k.pub", "--json")
    assert not json.loads(call(*check).out)["payload_checked"]
    assert json.loads(call(*check, "--delta-from", folder / "old").out)["payload_checked"]
    assert "another payload" in complaint(call(*check, "--delta-from", folder / "new"))


@pytest.mark.parametrize(("words", "said"), [
    ({"key": "other.pub"}, "holds no private Ed25519 key"),
    ({"key": "missing"}, "missing: cannot be read: No such file"),
    ({"payload": "missing"}, "missing: cannot be read: No such file"),
    ({"key": "old"}, "holds no private Ed25519 key"),
    ({"output": "old"}, "exists, and edgekc did not write it"),
    ({"sequence": "0"}, "sequence 0 is not between 1 and"),
    ({"sequence": "4294967296"}, "is not between 1 and 4294967295"),
])  # fmt: skip
def test_mistakes_of_signing(folder: Path, words: dict[str, str], said: str) -> None:
    before = snapshot(folder)
    assert said in complaint(sign(folder, **words))
    assert snapshot(folder) == before


def test_a_key_cannot_revoke_itself(folder: Path) -> None:
    assert "would revoke the key 1" in complaint(sign(folder, "--least-key", "2"))


def test_wrong_files_are_refused(folder: Path) -> None:
    sign(folder)
    file = (folder / "u").read_bytes()
    check = ("check-signature", folder / "x", "--key", folder / "k.pub")
    for data, said in (
        (b"", "this is no update"), (file[:50], "ends too early"), (file[:-1], "ends too early"),
        (file + b"x", "goes on behind its end"), (file[:20] + b"x" + file[21:], "the signature is wrong"),
        (file[:-1] + b"y", "the payload's hash is wrong"), (b"EKUP\2" + file[5:], "does not know"),
    ):  # fmt: skip
        (folder / "x").write_bytes(data)
        assert said in complaint(call(*check))
    wrong = call("check-signature", folder / "u", "--key", folder / "other.pub")
    assert "the signature is wrong" in complaint(wrong)


def test_a_network_is_named_by_its_folder(tmp_path: Path) -> None:
    program = edgekc.compile(edgekc.load(MODEL), name="digits")
    program.save(tmp_path / "out")
    found = edgekc.network_of(tmp_path / "out")
    assert len(found) == 16 and found == edgekc.network_of(found.hex())
    edgekc.compile(edgekc.load(MODEL), name="others").save(tmp_path / "others")
    assert edgekc.network_of(tmp_path / "others") != found
    with pytest.raises(edgekc.UsageError, match=r"manifest\.json"):
        edgekc.network_of(tmp_path)
