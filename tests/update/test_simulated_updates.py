"""Updates of the Cortex-M program on the simulated chip: what it runs then, each refusal, other senders, bad lines."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("unicorn", reason="unicorn is not installed")
pytest.importorskip("cryptography", reason="cryptography is not installed")

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from simulated_cuts import Counts, Payloads, prepare, tries, try_cut
from simulated_device import BOARD, Device, firmware
from simulated_network import blobs_of, folder_of

from edgekc.boards.board import load_board
from edgekc.console.protocol import Console, Patience
from edgekc.errors import ToolError
from edgekc.firmware.build import Image, build_image
from edgekc.firmware.toolchain import arm_compiler
from edgekc.progress import silent
from edgekc.simulate.mcu import Chip
from edgekc.update import sending
from edgekc.update.header import HEADER_BYTES, UpdateError

SLOT_BYTES = 4096


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        arm_compiler(load_board(BOARD))
    except ToolError as error:
        pytest.skip(str(error))
    return folder_of(tmp_path_factory.mktemp("small") / "out")


@pytest.fixture(scope="module")
def image(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Image:
    return firmware(folder, tmp_path_factory.mktemp("firmware"), SLOT_BYTES)


@pytest.fixture(scope="module")
def blobs(folder: Path) -> Payloads:
    return blobs_of(folder)


@pytest.fixture
def device(image: Image, blobs: Payloads) -> Device:
    """One that runs the second blob, of sequence 5 and counter 2."""
    made = Device(image, native=True)
    made.update(made.file(list(blobs.outputs)[1], 5, security_counter=2))
    return made


def check_runs(device: Device, blobs: Payloads, number: int) -> None:
    blob, output = list(blobs.outputs.items())[number]
    state = sending.ask_state(device.console)
    assert state.runs and state.slot is not None and device.payload(state.slot, len(blob)) == blob
    assert device.run(blobs.sample) == output


def test_the_core_checks_takes_and_runs_what_was_signed(image: Image, blobs: Payloads) -> None:
    """With the core's own Ed25519."""
    device = Device(image, native=False)
    own, second = list(blobs.outputs)[:2]
    assert device.run(blobs.sample) == blobs.outputs[own]  # built in
    file = device.file(second, 1)
    wrong = file[: HEADER_BYTES - 1] + bytes([file[HEADER_BYTES - 1] ^ 1]) + file[HEADER_BYTES:]
    with pytest.raises(UpdateError, match="the signature is wrong"):
        device.update(wrong)
    assert device.update(file).runs
    check_runs(device, blobs, 1)


def test_what_came_last_runs_after_a_restart(device: Device, blobs: Payloads) -> None:
    before = list(blobs.outputs)
    check_runs(device, blobs, 1)
    device.update(device.file(before[2], 6, before[1], security_counter=2))  # as changes
    device.restart()
    check_runs(device, blobs, 2)


def test_a_signed_payload_that_the_code_refuses_is_kept_and_what_is_built_in_runs(
    image: Image, blobs: Payloads
) -> None:
    device = Device(image, native=True)
    state = device.update(device.file(b"no blob", 1))
    assert state.slot == 0 and not state.runs
    assert device.run(blobs.sample) == next(iter(blobs.outputs.values()))


@pytest.mark.slow
def test_a_program_without_a_blob_keeps_what_comes(tmp_path: Path, folder: Path) -> None:
    import edgekc

    model = Path(edgekc.__file__).parent / "demo" / "data" / "digits_int8.tflite"
    edgekc.compile(edgekc.load(model), board=BOARD, name="digits").save(tmp_path / "out")
    device = Device(firmware(tmp_path / "out", tmp_path / "firmware", SLOT_BYTES), native=True)
    state = device.update(device.file(b"any bytes", 1))
    assert state.slot == 0 and not state.runs
    plain = Device(build_image(folder, load_board(BOARD), tmp_path / "plain", link="uart"), native=False, takes=False)
    with pytest.raises(
        ToolError, match=r"its program takes no updates; build it with `edgekc build --updates KEY\.pub`"
    ):
        plain.update(device.file(b"any bytes", 2))


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "key unknown": ({"key_id": 2}, "does not know; it says key 2"),
    "signature": ({"key": Ed25519PrivateKey.from_private_bytes(bytes(32))}, "the signature is wrong; sign it with the"),
    "network": (
        {"network": bytes(16)},
        "for another network; the board has network [0-9a-f]{32}; sign it --network-of",
    ),
    "sequence": ({"sequence": 5}, "not newer than what runs; it has sequence 5 and the board 5; sign it with a higher"),
    "counter": (
        {"security_counter": 1},
        "lower than that of what runs; sign it with a --security-counter of at least 2",
    ),
    "size": ({"payload": bytes(SLOT_BYTES)}, r"larger than a slot; it has 4,096 bytes and a slot 3,072"),
    "changes": ({"base": b"another one"}, "the changes are for another payload than the one that runs; sign the whole"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_one_says_why_and_changes_nothing(case: str, device: Device, blobs: Payloads) -> None:
    how, said = REFUSED[case]
    how = {"payload": list(blobs.outputs)[2], "sequence": 6, "security_counter": 2, **how}
    before = bytes(device.mcu.flash.memory)
    with pytest.raises(UpdateError, match=f"^update to simulated: .*{said}.*; what ran goes on$"):
        device.update(device.file(**how))
    assert bytes(device.mcu.flash.memory) == before
    check_runs(device, blobs, 1)


def test_a_damaged_payload_is_found_at_its_end(device: Device, blobs: Payloads) -> None:
    file = device.file(list(blobs.outputs)[2], 6, security_counter=2)
    with pytest.raises(UpdateError, match="the payload's hash is wrong; send it again; what ran goes on"):
        device.update(file[:-1] + bytes([file[-1] ^ 1]))
    device.restart()
    check_runs(device, blobs, 1)


def test_a_file_that_is_not_whole_is_not_sent(device: Device, blobs: Payloads) -> None:
    file = device.file(list(blobs.outputs)[2], 6, security_counter=2)
    device.line.ends_after = 0
    for data, said in ((file[:-1], "ends too early"), (file + b"x", "goes on behind"), (b"", "is no update")):
        with pytest.raises(UpdateError, match=said):
            device.update(data)


def test_flash_that_cannot_be_written(image: Image, blobs: Payloads) -> None:
    slots = load_board(BOARD).slots
    assert slots is not None
    protected = Chip(write_protected_sectors=frozenset({slots.places[0].first_sector}))
    for chip, said in (
        (protected, "the flash cannot be erased; look whether its flash is write-protected or worn"),
        (Chip(stuck={slots.places[0].at + 2000: 1}), "the flash was not erased"),
    ):
        device = Device(image, native=True, chip=chip)
        with pytest.raises(ToolError, match=f"^simulated: {said}.*what ran goes on"):
            device.update(device.file(list(blobs.outputs)[1], 1))
        assert device.run(blobs.sample) == next(iter(blobs.outputs.values()))


def begin(console: Console, file: bytes, session: int) -> None:
    """Another sender, that has sent a part."""
    own = session.to_bytes(4, "little")
    for kind, request in ((sending.BEGIN, file[:HEADER_BYTES]), (sending.WRITE, bytes(4) + file[HEADER_BYTES:][:100])):
        assert console.service(kind, own + request, computes=True, exact=8)[:4] == bytes(4)


def test_two_senders(device: Device, blobs: Payloads) -> None:
    file = device.file(list(blobs.outputs)[2], 6, security_counter=2)
    begin(device.console, file, 77)
    sent = 100

    def other_goes_on(_seconds: float) -> None:
        nonlocal sent
        part = file[HEADER_BYTES + sent :][:50]
        request = (77).to_bytes(4, "little") + sent.to_bytes(4, "little") + part
        device.console.service(sending.WRITE, request, computes=True, exact=8)
        sent += len(part)

    with pytest.raises(ToolError, match="an update is being written already; wait until the other one has ended"):
        sending.send(device.console, file, where="u", progress=silent, sleep=other_goes_on)
    check_runs(device, blobs, 1)
    # It went away: after a while its update is given up.
    _, now = sending.send(device.console, file, where="u", progress=silent, sleep=lambda _: None)
    assert now.sequence == 6
    check_runs(device, blobs, 2)


def test_requests_of_others_are_refused_while_one_writes(device: Device, blobs: Payloads) -> None:
    file = device.file(list(blobs.outputs)[2], 6, security_counter=2)
    begin(device.console, file, 77)
    stranger = (78).to_bytes(4, "little")
    for kind in (sending.FINISH, sending.ABORT):
        assert device.console.service(kind, stranger, computes=True, exact=8) == b"\1\0\0\0" + (100).to_bytes(
            4, "little"
        )
    gap = (77).to_bytes(4, "little") + (101).to_bytes(4, "little") + b"x"
    with pytest.raises(ToolError, match="no such request"):
        device.console.service(sending.WRITE, gap, computes=True, exact=8)


def test_a_line_that_is_pulled_out(device: Device, blobs: Payloads) -> None:
    file = device.file(list(blobs.outputs)[2], 6, security_counter=2)
    device.line.ends_after = 5
    with pytest.raises(ToolError, match=r"the line was closed \(pulled out\); check the connection, and run it again"):
        device.update(file)
    device.line.ends_after = 1 << 30
    check_runs(device, blobs, 1)
    sending.send(device.console, file, where="u", progress=silent, sleep=lambda _: None)
    check_runs(device, blobs, 2)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_a_lossy_line_only_costs_time(seed: int, device: Device, blobs: Payloads) -> None:
    """Requests and answers get lost: what was done already is not done again."""
    blob = list(blobs.outputs)[2]
    file, before = device.file(blob, 6, security_counter=2), device.mcu.flash.operations
    device.console.patience = Patience(12, 0.5, 0.5)
    device.line.lost, device.line.chance = 0.25, random.Random(seed)
    device.update(file)
    device.line.lost = 0.0
    check_runs(device, blobs, 2)
    assert device.console.resent > 0
    # Header, payload, VALID and SEAL of the slot, once each, and the sector: no VOID, as nothing was there before.
    words = (HEADER_BYTES + -(-len(blob) // 32) * 32 + 2 * 32) // 4
    assert device.mcu.flash.operations - before == words + 1 and device.mcu.flash.reprogrammed == 0


@pytest.mark.slow
def test_power_cuts(image: Image, blobs: Payloads) -> None:
    """A sample of `benchmarks/power_cuts.py --board`."""
    device, chance, count = Device(image, native=True), random.Random(5), Counts()
    setting = prepare(device, blobs, chance)
    planned = list(tries(setting, chance, 1))
    last = planned[-40:]  # where VALID and SEAL are set
    for cut in [*chance.sample(planned, 8), *chance.sample(last, 6)]:
        try_cut(device, setting, cut, chance, count)
    assert count.cuts >= 25 and count.old_runs > 0 and count.new_runs > 0
    assert count.neither == count.next_update_refused == count.words_written_twice == 0
