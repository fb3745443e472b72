"""Firmware that takes updates on the simulated chip, in this process: through its console, and with losses of power."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import unicorn
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from unicorn import arm_const as arm

from edgekc.boards.board import Board, load_board
from edgekc.boards.slots import HEAD_BYTES
from edgekc.console.protocol import Console, Patience
from edgekc.errors import ToolError
from edgekc.files.output import read_manifest
from edgekc.firmware.build import Image, build_image
from edgekc.firmware.elf import read_elf
from edgekc.firmware.flat import flat_image
from edgekc.firmware.updates import Updates
from edgekc.progress import silent
from edgekc.simulate.cuts import PowerCut
from edgekc.simulate.flash import BASE
from edgekc.simulate.mcu import Chip, Mcu
from edgekc.update import package, sending

BOARD = "nucleo-f412zg"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
_SLICE = 1000  # instructions
_ANSWER_S, _RUN_S = 30.0, 120.0


def with_slots_of(slot_bytes: int) -> Board:
    """The board with slots that begin where they do, and end earlier."""
    board = load_board(BOARD)
    assert board.slots is not None
    return replace(board, slots=replace(board.slots, slot_bytes=slot_bytes))


def firmware(folder: Path, out: Path, slot_bytes: int) -> Image:
    """The program of a compiled folder that takes updates of KEY."""
    network = package.network_identity(read_manifest(folder))
    updates = Updates((KEY.public_key().public_bytes_raw(),), network)
    return build_image(folder, with_slots_of(slot_bytes), out, link="uart", updates=updates)


class SerialLine:
    """The chip's serial port, which moves when somebody listens.

    Attributes:
        lost: of requests and of answers, how many get lost.
        ends_after: requests until the line is pulled out.
    """

    def __init__(self, mcu: Mcu) -> None:
        self.mcu, self.out = mcu, bytearray()
        self.lost, self.chance, self.ends_after = 0.0, random.Random(1), 1 << 30
        mcu.serial_out = self.out.extend

    def send(self, data: bytes) -> None:
        self.ends_after -= 1
        if self.ends_after < 0:
            raise EOFError("pulled out")
        if self.chance.random() >= self.lost:
            self.mcu.serial_in += data

    def receive(self, timeout_s: float) -> bytes:
        """What comes until the chip is quiet."""
        deadline, before = time.monotonic() + timeout_s, -1
        while (not self.out or len(self.out) != before) and time.monotonic() < deadline:
            before = len(self.out)
            self.mcu.run(_SLICE)
        data = bytes(self.out)
        self.out.clear()
        return data if self.chance.random() >= self.lost else b""

    def close(self) -> None:
        pass


def check_natively(mcu: Mcu, image: Image) -> None:
    """The package cryptography checks signatures where the core would, which takes a hundredth of the time."""
    symbol = read_elf(image.elf).symbol("ek_ed25519_check")
    assert symbol is not None
    at = symbol.address & ~1
    mcu.core.uc.hook_add(unicorn.UC_HOOK_CODE, _check, None, at, at)


def _check(uc: Any, _address: int, _size: int, _data: Any) -> None:
    signature, key, message, count = (uc.reg_read(getattr(arm, f"UC_ARM_REG_R{i}")) for i in range(4))
    public = Ed25519PublicKey.from_public_bytes(bytes(uc.mem_read(key, 32)))
    try:
        public.verify(bytes(uc.mem_read(signature, 64)), bytes(uc.mem_read(message, count)))
        wrong = 0
    except InvalidSignature:
        wrong = 1
    uc.reg_write(arm.UC_ARM_REG_R0, wrong)
    uc.reg_write(arm.UC_ARM_REG_PC, uc.reg_read(arm.UC_ARM_REG_LR))


class Device:
    """A chip with a program in it. Its flash goes on living through losses of power.

    Args:
        native: as check_natively; all else is the core's own.
        takes: it takes updates.
    """

    def __init__(self, image: Image, *, native: bool, chip: Chip | None = None, takes: bool = True) -> None:
        self.mcu = Mcu(chip or Chip(), exact=False)
        base, self.program = flat_image(image.elf, image.board)
        assert base == BASE and image.board.slots is not None
        self.slots = image.board.slots
        self.mcu.flash.memory[: len(self.program)] = self.program
        if native:
            check_natively(self.mcu, image)
        self.mcu.flash.changed = True
        self.console = self._start()
        self.console.hello()
        self.network = sending.ask_state(self.console).network if takes else b""

    def _start(self) -> Console:
        self.mcu.reset()
        self.line = SerialLine(self.mcu)
        return Console(self.line, Patience(1, _ANSWER_S, _RUN_S), "simulated")

    def file(self, payload: bytes, sequence: int, base: bytes | None = None, **how: Any) -> bytes:
        """An update for it."""
        fields = {"key": KEY, "network": self.network, "security_counter": 0, **how}
        return package.sign(payload, sequence=sequence, base=base, **fields)

    def clear(self, chance: random.Random) -> None:
        """The program alone, in a flash that nobody erased where the slots are."""
        flash = bytearray(self.program.ljust(len(self.mcu.flash.memory), b"\xff"))
        for place in self.slots.places:
            at = place.at - BASE
            flash[at : at + self.slots.slot_bytes] = chance.randbytes(self.slots.slot_bytes)
        self.mcu.flash.fill(bytes(flash))
        self.restart()

    def payload(self, slot: int, count: int) -> bytes:
        """What the flash holds in a slot, behind its head."""
        at = self.slots.places[slot].at - BASE + HEAD_BYTES
        return bytes(self.mcu.flash.memory[at : at + count])

    def restart(self) -> sending.State:
        """Power goes and comes back; what the device says then."""
        self.mcu.power_cycle()
        self.console = self._start()
        self.console.hello()
        return sending.ask_state(self.console)

    def update(self, file: bytes) -> sending.State:
        """What it says behind an update that it has taken."""
        return sending.send(self.console, file, where="update", progress=silent)[1]

    def run(self, sample: bytes) -> bytes:
        """One inference; the whole output."""
        assert self.console.run(sample).status == 0
        return self.console.output(self.console.hello().output_bytes)

    def cut_update(self, file: bytes, cut: PowerCut) -> bool:
        """An update in which power fails; False: it ended before."""
        cut = replace(cut, operation=cut.operation + self.mcu.flash.operations)
        self.mcu.flash.cut = cut
        try:
            self.update(file)
        except ToolError as error:
            if "was reset" not in str(error):
                raise
        fired = self.mcu.flash.cut is None
        self.mcu.flash.cut = None
        return fired
