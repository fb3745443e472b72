"""What a device makes of updates, right and wrong ones, against what Python says of the same files."""

from __future__ import annotations

import hashlib
import random
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from update_device import FOLDER, HERE, NETWORK, Outcome, outcomes, signed

pytest.importorskip("cryptography")

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edgekc.assets import RUNTIME_C
from edgekc.firmware.toolchain import host_compiler
from edgekc.update import delta, package
from edgekc.update.header import HEADER_BYTES, SIGNED_BYTES, UpdateError, parse
from edgekc.update.status import TEXTS

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OLD = random.Random(1).randbytes(3001)
NEW = OLD[:100] + b"changed" + OLD[107:2000] + random.Random(2).randbytes(77) + OLD[2077:] + b"longer"
COMMON: dict[str, Any] = {"network": NETWORK, "security_counter": 6, "key_id": 1}
BASE = package.sign(OLD, KEY, sequence=10, **COMMON)
UPDATES = {
    "whole": package.sign(NEW, KEY, sequence=11, **COMMON),
    "delta": package.sign(NEW, KEY, sequence=11, base=OLD, **COMMON),
}


def is_right(file: bytes) -> bool:
    try:
        KEY.public_key().verify(file[SIGNED_BYTES:HEADER_BYTES], file[:SIGNED_BYTES])
    except InvalidSignature:
        return False
    return True


def device(files: list[bytes], faults: list[str] | None = None) -> list[Outcome]:
    """What becomes of each file on a device that runs OLD."""
    faults = faults or ["none"] * len(files)
    rows = outcomes([(BASE, True, "none"), *((f, is_right(f), x) for f, x in zip(files, faults, strict=True))])
    assert rows[0] == Outcome("OK", "OK", hashlib.sha256(OLD).hexdigest())
    for row in rows[1:]:
        runs = NEW if row.status == "OK" else OLD
        assert row.opened == "OK" and row.running == hashlib.sha256(runs).hexdigest()
    return rows[1:]


@pytest.mark.parametrize("kind", UPDATES)
def test_right_ones_are_taken(kind: str) -> None:
    assert [row.status for row in device([UPDATES[kind]])] == ["OK"]
    assert len(UPDATES["delta"]) < HEADER_BYTES + 200


def test_each_wrong_one_has_its_status() -> None:
    file = UPDATES["whole"]
    header = parse(file)
    changes = UPDATES["delta"]

    def other(body: bytes = NEW, **fields: Any) -> bytes:
        return signed(KEY, replace(header, **fields), body)

    cases = {
        "TRUNCATED": file[:-1], "TOO_LONG": file + b"x", "MAGIC": b"X" + file[1:],
        "FORMAT": file[:4] + b"\2" + file[5:], "FIELDS": other(update_bytes=5),
        "KEY_UNKNOWN": other(key=2), "KEY_REVOKED": other(key=0),
        "SIGNATURE_WRONG": file[:130] + bytes([file[130] ^ 1]) + file[131:],
        "OTHER_NETWORK": other(network=b"another network."), "OLD_SEQUENCE": other(sequence=10),
        "OLD_COUNTER": other(security_counter=5),
        "TOO_LARGE": other(bytes(8000), update_bytes=8000, payload_bytes=8000),
        "HASH_WRONG": file[:-1] + b"x",
        "DELTA_BASE": package.sign(NEW, KEY, sequence=11, base=NEW, **COMMON),
        "DELTA_RECORD": changes[:HEADER_BYTES + 4] + bytes(4) + changes[HEADER_BYTES + 8 :],
    }  # fmt: skip
    assert {name: row.status for name, row in zip(cases, device(list(cases.values())), strict=True)} == {
        name: name for name in cases
    }
    assert device([file[:100], file[:HEADER_BYTES]]) == device([file[:-1], file[:-2]])
    assert [row.status for row in device([other(security_counter=4)])] == ["OLD_COUNTER"]  # below the firmware's own


def test_a_revoked_key_stays_revoked() -> None:
    first = package.sign(OLD, KEY, sequence=1, network=NETWORK, security_counter=5, key_id=7, least_key=5)
    later = {"network": NETWORK, "security_counter": 5, "sequence": 2}
    files = [
        package.sign(NEW, KEY, key_id=1, **later),  # the lost key, with a right signature
        package.sign(NEW, KEY, key_id=7, **later),  # would let it in again
        package.sign(NEW, KEY, key_id=7, least_key=5, **later),
    ]
    rows = outcomes([(first, True, "none"), *((file, True, "none") for file in files)])
    assert [row.status for row in rows] == ["OK", "KEY_REVOKED", "OLD_KEYS", "OK"]


def test_faults_of_flash_and_host_leave_what_runs() -> None:
    faults = {
        "read-only": "NOT_ERASED", "no program": "FLASH_PROGRAM", "no erase": "FLASH_ERASE", "stuck": "NOT_WRITTEN",
        "twice": "BUSY", "not begun": "IDLE", "pulled out": "IDLE",
    }  # fmt: skip
    for file in UPDATES.values():
        rows = device([file] * len(faults), list(faults))
        assert dict(zip(faults, (row.status for row in rows), strict=True)) == faults


def damaged(file: bytes, chance: random.Random) -> bytes:
    """The file with bits flipped, bytes cut out or put in; often signed anew, so that later checks are reached."""
    data = bytearray(file)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(data)) if chance.random() < 0.5 else chance.randrange(min(len(data), 250))
        match chance.randrange(4):
            case 0:
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                del data[at : at + chance.randint(1, 40)]
            case 2:
                data[at:at] = chance.randbytes(chance.randint(1, 40))
            case _:
                data[at : at + 4] = chance.choice([b"\0\0\0\0", b"\xff\xff\xff\xff", chance.randbytes(4)])
    if chance.random() < 0.6 and len(data) >= HEADER_BYTES:
        data[SIGNED_BYTES:HEADER_BYTES] = KEY.sign(bytes(data[:SIGNED_BYTES]))
    return bytes(data)


@pytest.mark.parametrize("count", [300, pytest.param(5000, marks=pytest.mark.slow)])
def test_both_accept_and_refuse_the_same(count: int) -> None:
    chance = random.Random(count)
    files = [damaged(UPDATES[chance.choice(list(UPDATES))], chance) for _ in range(count)]
    rows = outcomes([(BASE, True, "none"), *((file, is_right(file), "none") for file in files)])[1:]
    alike = 0
    for file, row in zip(files, rows, strict=True):
        try:
            _, payload = package.check(file, KEY.public_key(), base=OLD)
            said = "OK"
        except UpdateError as error:
            said, payload = error.status, OLD
        if row.status in ("KEY_UNKNOWN", "OTHER_NETWORK", "OLD_SEQUENCE", "OLD_COUNTER", "KEY_REVOKED", "OLD_KEYS",
                          "TOO_LARGE"):  # fmt: skip
            continue  # what only a device knows
        assert (row.status == "OK") == (said == "OK"), (row, said)
        body = {"TRUNCATED", "TOO_LONG", "DELTA_RECORD", "HASH_WRONG"}  # whichever comes first in a stream
        assert row.status == said or {row.status, said} <= body
        assert row.running == hashlib.sha256(payload).hexdigest()
        alike += 1
    assert alike > count // 3


def test_changes_make_the_new_payload() -> None:
    chance = random.Random(3)
    for _ in range(200):
        old = chance.randbytes(chance.randrange(1, 300))
        new = bytes(b ^ (chance.random() < 0.1) for b in old)[: chance.randrange(1, 400)] + chance.randbytes(
            chance.randrange(3)
        )
        if new:
            assert delta.apply(old, delta.difference(old, new), len(new)) == new
    assert delta.difference(OLD, OLD) == b""


def test_the_driver_is_that_of_this_device() -> None:
    assert NETWORK.rstrip(b"\0").decode() in (HERE / "driver.c").read_text()


def blocks(language: str) -> list[str]:
    text = (HERE.parents[1] / "docs" / "updates.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_document_s_c_compiles(tmp_path: Path) -> None:
    use, hooks = blocks("c")
    at = use.index("ek_update_status status")
    body = f"void use(const uint8_t *header, const uint8_t *data, uint32_t data_bytes)\n{{\n{use[at:]}}}\n"
    start = '#include "ek_slots.h"\n#include "ek_ed25519.h"\n#include "ek_flash.h"\n'
    (tmp_path / "main.c").write_text(f"{start}{hooks}{use[:at]}{body}")
    command = [*host_compiler().command, "-std=c99", "-Wall", "-Werror", "-Wno-unused-but-set-variable"]
    command += [
        "-Wno-unused-variable",
        f"-I{FOLDER}",
        f"-I{RUNTIME_C / 'port'}",
        "-c",
        str(tmp_path / "main.c"),
        "-o",
        str(tmp_path / "main.o"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_document_s_header_is_the_one() -> None:
    text = (HERE.parents[1] / "docs" / "updates.md").read_text()
    table = text[text.index("A header of 192 bytes") : text.index("Changes are records")]
    rows = [tuple(map(int, row)) for row in re.findall(r"^\| (\d+) \| (\d+) \|", table, re.MULTILINE)]
    assert [at for at, _ in rows] == [sum(size for _, size in rows[:i]) for i in range(len(rows))]
    assert sum(rows[-1]) == HEADER_BYTES and rows[-1][0] == SIGNED_BYTES
    pieces = [size for _, size in rows[:-1]]
    assert pieces == [4, 2, 2, *([4] * 7), 16, 32, 32, 12]
    statuses = text[text.index("## Statuses") : text.index("## Keys")]
    assert "| 24, 25, 26 |" in statuses and len(TEXTS) == 27
