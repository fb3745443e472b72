"""An update through the console of the board that takes it: requests of ek_update_service.h, and one error for each way
in which it is refused. What ran goes on in all of them."""

from __future__ import annotations

import secrets
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from ..console.protocol import MAX_PAYLOAD, Console, RefusedError
from ..errors import EdgekcError, ToolError
from ..progress import Progress
from .header import HEADER_BYTES, Header, UpdateError, parse
from .status import TEXTS, text

VERSION = 1
STATUS, BEGIN, WRITE, FINISH, ABORT = range(0x10, 0x15)
_STATE = struct.Struct("<12I16s32s")
_REPLY = struct.Struct("<II")
_PART = MAX_PAYLOAD - 8  # bytes of the file in one request, behind session and offset
_IDLE = 0xFFFFFFFF  # bytes received: no update is being written
_NO_SLOT = 2
_NAMES = tuple(TEXTS)
# What a device says of itself, not of the file.
_OF_THE_DEVICE = {
    "BUSY", "IDLE", "FLASH_READ", "FLASH_ERASE", "FLASH_PROGRAM", "NOT_ERASED", "NOT_WRITTEN", "MARKS_USED", "SETUP",
}  # fmt: skip
_GOES_ON = "what ran goes on"


@dataclass(frozen=True, slots=True)
class State:
    """What a device says of its slots.

    Attributes:
        opened: name of the status with which it opened them.
        slot: 0 or 1, from which the payload is; None: there is none.
        sequence, security_counter, least_key: of that payload's update; 0 without one.
        payload_bytes: its size.
        room: bytes of the largest payload.
        received: bytes behind the header that an update which is being written has; None: none is.
        session: of the last update that was begun.
        runs: the device runs the payload of the slot; False: what is built in, or nothing of updates.
        network: the identity of its network.
        payload_hash: SHA-256 of the payload.
    """

    opened: str
    slot: int | None
    sequence: int
    security_counter: int
    least_key: int
    payload_bytes: int
    room: int
    received: int | None
    session: int
    runs: bool
    network: bytes
    payload_hash: bytes


def ask_state(console: Console) -> State:
    """What the device says; ToolError where it takes no updates, or by another version of these requests."""
    fix = "build it with `edgekc build --updates KEY.pub`, and flash it"
    try:
        reply = console.service(STATUS, b"", computes=False, exact=_STATE.size)
    except RefusedError:
        raise ToolError("its program takes no updates", where=console.where, fix=fix) from None
    version, opened, slot, *numbers, network, payload_hash = _STATE.unpack(reply)
    sequence, counter, least_key, payload_bytes, room, received, session, runs, _ = numbers
    if version != VERSION:
        raise ToolError(f"its updates are of version {version}, not {VERSION}", where=console.where, fix=fix)
    return State(
        _name(opened), None if slot == _NO_SLOT else slot, sequence, counter, least_key, payload_bytes, room,
        None if received == _IDLE else received, session, bool(runs), network, payload_hash,
    )  # fmt: skip


def check_file(data: bytes, where: str) -> Header:
    """The header of a whole update; UpdateError where the file ends too early, goes on, or is none."""
    header = parse(data, where)
    rest = len(data) - HEADER_BYTES
    if rest != header.update_bytes:
        status, fix = ("TRUNCATED", "copy it again") if rest < header.update_bytes else ("TOO_LONG", "")
        raise UpdateError(status, where=where, fix=fix)
    return header


def send(
    console: Console, data: bytes, *, where: str, progress: Progress, session: int | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[State, State]:  # fmt: skip
    """Sends an update, and says what the device ran before and runs now.

    Args:
        data: the file; nothing is sent of one that is not whole.
        where: its name.
        progress: is told how many bytes were sent.
        session: the sender's number, by which the device knows it; None: a random one.
        sleep: waits for seconds, while another sender may show that it is there.

    Raises:
        UpdateError: the device refuses the file.
        ToolError: the device cannot take it, another sender writes to it, or the line fails.
    """
    header = check_file(data, where)
    session = secrets.randbits(32) if session is None else session
    console.sequence = session % 255  # two senders on one line take each other's replies only by chance
    console.hello()
    before = ask_state(console)
    if before.received is not None:
        _end_an_abandoned_one(console, before, sleep)
    what, sent = f"update over {console.where}", 0
    body = data[HEADER_BYTES:]
    own = struct.pack("<I", session)
    progress(what, 0, len(body))
    try:
        _change(console, BEGIN, own + data[:HEADER_BYTES], before, header, where)
        while sent < len(body):
            part = body[sent : sent + _PART]
            request = own + struct.pack("<I", sent) + part
            received = _change(console, WRITE, request, before, header, where, computes=False)
            sent += len(part)
            if received != sent:
                raise _error("BUSY", console, before, header, where)
            progress(what, sent, len(body))
        _change(console, FINISH, own, before, header, where)
    except BaseException:
        with suppress(EdgekcError):
            console.tell(ABORT, own)
        raise
    now = ask_state(console)
    if now.payload_hash != header.payload_hash:
        raise ToolError("the update is gone behind its end", where=console.where, fix="send it again")
    return before, now


def _end_an_abandoned_one(console: Console, state: State, sleep: Callable[[float], None]) -> None:
    """ToolError where another sender goes on; what one has left in the middle is given up."""
    sleep(console.patience.answer_s)
    later = ask_state(console)
    if later.received is None:
        return
    if (later.session, later.received) != (state.session, state.received):
        raise _busy(console)
    console.service(ABORT, struct.pack("<I", later.session), computes=False, exact=_REPLY.size)


def _change(
    console: Console, kind: int, request: bytes, state: State, header: Header, where: str, *, computes: bool = True
) -> int:
    """Bytes that the device has now; raises what its status means."""
    status, received = _REPLY.unpack(console.service(kind, request, computes=computes, exact=_REPLY.size))
    if status != 0:
        raise _error(_name(status), console, state, header, where)
    return int(received)


def _name(number: int) -> str:
    return _NAMES[number] if number < len(_NAMES) else text(number)


def _busy(console: Console) -> ToolError:
    return ToolError(TEXTS["BUSY"], where=console.where, fix="wait until the other one has ended")


def _error(status: str, console: Console, state: State, header: Header, where: str) -> EdgekcError:
    if status in ("BUSY", "IDLE"):
        return _busy(console)
    fixes = {
        "KEY_UNKNOWN": f"it says key {header.key}; pass `edgekc sign` the --key-id that the firmware has",
        "KEY_REVOKED": f"sign it with key {state.least_key} or a later one",
        "SIGNATURE_WRONG": "sign it with the private key of the .pub file that the firmware was built with",
        "OTHER_NETWORK": f"the board has network {state.network.hex()}; sign it --network-of the folder that it runs",
        "OLD_SEQUENCE": f"it has sequence {header.sequence} and the board {state.sequence}; sign it with a higher one",
        "OLD_COUNTER": f"sign it with a --security-counter of at least {state.security_counter}",
        "OLD_KEYS": f"sign it with a --least-key of at least {state.least_key}",
        "TOO_LARGE": f"it has {header.payload_bytes:,} bytes and a slot {state.room:,}",
        "DELTA_BASE": "sign the whole payload, or the changes to what the board runs",
        "MARKS_USED": "power failed in eight updates in a row; erase the slots by a probe",
    }
    flash = "look whether its flash is write-protected or worn"
    if status in _OF_THE_DEVICE or status not in TEXTS:
        fix = fixes.get(status, flash)
        return ToolError(TEXTS.get(status, status), where=console.where, fix=f"{fix}; {_GOES_ON}")
    fix = fixes.get(status, "send it again")
    return UpdateError(status, where=f"{where} to {console.where}", fix=f"{fix}; {_GOES_ON}")
