"""`edgekc inject`: planted faults of each kind, of which it is known what becomes of them, on emulated cores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

import edgekc
from edgekc.boards.board import load_board
from edgekc.demo.walk import DATA
from edgekc.emulate import host
from edgekc.firmware.build import build_image
from edgekc.progress import silent

pytest.importorskip("unicorn", reason="unicorn is not installed")
from edgekc.faults.kinds import KINDS, Kind, _stack
from edgekc.faults.records import REGISTERS, Buffer
from edgekc.faults.session import _during, session
from edgekc.faults.trial import Places, Trial

MODEL = DATA / "digits_int8.tflite"
M0, M4 = "rpi-pico", "nucleo-f446re"
B_SELF, BKPT = 0xE7FE, 0xBE00  # Thumb: an endless loop, a breakpoint that nobody handles
Make = Callable[..., Trial]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Trials by model, board and check, each built once."""
    made: dict[tuple[Any, ...], Trial] = {}

    def trial(board: str = M4, model: Path = MODEL, **options: Any) -> Trial:
        options = options or {"check": True}
        key = (board, model, *options.items())
        if key not in made:
            program = edgekc.compile(model, board=board, name="net", **options)
            folder = tmp_path_factory.mktemp("faults")
            checked = "check" in program.manifest
            kept = ["-Wl,-u,net_check"] if checked else []
            try:
                image = build_image(program.folder, load_board(board), folder, link_flags=lambda _: kept)
            except edgekc.ToolError as error:
                pytest.skip(str(error))
            inputs = host.samples(dict(program.manifest), 5)[3 * image.input_bytes :]
            made[key] = Trial(image, program.graph, inputs, checked=checked)
        made[key].reset()
        return made[key]

    return trial


def patched(trial: Trial, function: str, word: int) -> str:
    """What becomes of a use whose function begins with another instruction."""
    at = trial.core.symbols[function] & ~1
    before = trial.core.bytes_of(Buffer(at, 2))
    for address, bytes_ in ((at, word.to_bytes(2, "little")), (at, before)):
        if bytes_ == before:
            found = trial.use(0)
        for i, byte in enumerate(bytes_):
            trial.core.put(address + i, byte)
    return found


# ---- nothing is wrong ----


@pytest.mark.parametrize("board", [pytest.param(M0, marks=pytest.mark.slow), M4])
def test_a_run_that_is_stopped_and_put_back_is_right(make: Make, board: str) -> None:
    """At every instruction of the beginning, which has IT blocks on a Cortex-M4, and at random ones."""
    trial = make(board)
    nothing = Kind("nothing", "", lambda t, _chance, sample, done: (t.finish(sample, done), ""), during=True)
    (row,) = session(trial, [nothing], 60, 1, silent)
    assert (row.harmless, row.detected, row.wrong) == (60, {}, 0)
    trial.begin(0)
    for done in range(150):
        moment = trial.advance(min(done, 1))
        if done % 3 == 0:
            assert trial.finish(0, done) == "harmless", done
            trial.core.restore(moment)


@pytest.mark.slow
def test_the_instructions_are_those_that_measure_counts(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKC_EMULATOR", "unicorn")
    program = edgekc.compile(MODEL, board=M0, name="net")
    trial = make(M0)
    counted = program.measure(2, data=_inputs(trial)).measurement.instructions
    assert tuple(trial.lengths) == counted


def _inputs(trial: Trial) -> Any:
    return np.frombuffer(b"".join(trial._inputs), np.int8).reshape(-1, 8, 8, 1)


# ---- flash ----


def embedded(trial: Trial) -> list[tuple[int, int]]:
    """The highest bit of every 97th byte of the embedded model."""
    (weights,) = trial.places.weights
    return [(weights.address + at, 7) for at in range(0, weights.size_bytes, 97)]


def test_a_wrong_weight_is_detected_with_a_check_and_wrong_or_harmless_without(make: Make) -> None:
    found = {}
    for name, trial in (("check", make()), ("none", make(check=False))):
        found[name] = []
        for address, bit in embedded(trial):
            trial.reset()
            trial.core.flip(address, bit)
            found[name].append(trial.use(0))
            trial.core.flip(address, bit)
    assert set(found["check"]) == {"check"}
    assert set(found["none"]) == {"wrong", "harmless"}, "the graph and the metadata are among them"


def test_wrong_tables_behind_the_check_are_detected_by_check_run_alone(make: Make) -> None:
    for options, detected in (({"check_run": True}, {"status": 40}), ({"check": True}, None)):
        trial = make(**options)
        early, late = session(trial, [KINDS["tables"], KINDS["late-tables"]], 40, 3, silent)
        assert early.detected == {"check": 40}
        if detected is None:
            assert "status" not in late.detected and late.wrong > 0 and late.harmless > 0
        else:
            assert late.detected == detected


def test_damaged_code_is_an_endless_loop_a_fault_or_wrong(make: Make) -> None:
    trial = make()
    assert patched(trial, "net_run", B_SELF) == "watchdog"
    assert patched(trial, "net_check", B_SELF) == "watchdog"
    assert patched(trial, "net_run", BKPT) == "fault"
    assert patched(trial, "net_run", 0x4770) in ("status", "wrong")  # bx lr: the arena's address is its status
    assert trial.use(0) == "harmless", "it is as it was"


def test_a_held_bit_of_flash_is_noticed_if_it_is_another(make: Make) -> None:
    trial = make()
    (row,) = session(trial, [KINDS["stuck-flash"]], 60, 5, silent)
    assert row.detected["check"] > 0 and row.harmless >= 15, "half of them hold what they should"


# ---- RAM ----


def test_a_held_bit_of_ram_stays_whatever_is_written(make: Make) -> None:
    trial = make()
    core, right = trial.core, trial._expected[0]
    for value in (0, 1):
        trial.reset()
        with core.held(core.output.address, 0, value):
            core.fill(core.output, bytes([0xFF * (1 - value)]))
            assert core.bytes_of(core.output)[0] & 1 == value
            assert trial.use(0) == ("harmless" if right[0] & 1 == value else "wrong")
        trial.reset()
        with core.held(core.input.address, 7, value):
            equal = trial._inputs[0][0] >> 7 == value
            assert trial.use(0) == "harmless" or not equal
    assert trial.use(0) == "harmless", "it is free again"


def test_what_the_arena_holds_before_a_run_means_nothing(make: Make) -> None:
    trial = make()
    (row,) = session(trial, [KINDS["arena"]], 40, 1, silent)
    assert row.harmless == 40
    trial.core.fill(trial.core.arena, b"\xff" * trial.core.arena.size_bytes)
    assert trial.use(1) == "harmless"


def test_a_wrong_byte_in_the_middle_of_a_run_is_wrong_in_silence(make: Make) -> None:
    (row,) = session(make(check_run=True), [KINDS["run-arena"]], 60, 1, silent)
    assert set(row.detected) <= {"fault"}, "pointers lie there too"
    assert 5 < row.wrong < 60 and len(row.silent) == 5 and row.harmless > 0


def test_a_write_elsewhere_is_no_harmless_one(make: Make) -> None:
    """Output and status are right, and other RAM, or a register of the caller, is not what it was."""
    trial = make()
    core = trial.core
    arena, given, _ = trial.arguments
    trial.prepare(0)
    core.fill(core.output, trial._expected[0])
    assert trial.run(0, (arena, given, core.stack_limit - 4096)) == "wrong"
    for register, bit in (("R4", 3), ("R11", 0), ("SP", 2)):
        trial.reset()
        trial.use(0)
        before = core.memory()
        assert core.is_tidy(before)
        core.flip_register(register, bit)
        assert not core.is_tidy(before), register


@pytest.mark.slow
def test_a_wrong_state_is_wrong_in_later_steps(make: Make, tmp_path: Path) -> None:
    streaming = pytest.importorskip("streaming", reason="the writer of .tflite files needs the package tflite")
    model = tmp_path / "net.tflite"
    model.write_bytes(streaming.random_streaming(2).file)
    trial = make(M4, model)
    names = ("state", "arena", "reset", "stack")
    state, arena, reset, stack = session(trial, [KINDS[n] for n in names], 30, 1, silent)
    assert state.wrong > 0 and state.detected == {}
    assert arena.harmless == reset.harmless == 30 and stack.detected == {"stack": 2}


# ---- registers, power, the stack, the caller ----


def test_a_wrong_register(make: Make) -> None:
    trial = make()
    for register, bit, expected in (("PC", 29, "fault"), ("SP", 31, "fault"), ("R12", 5, "harmless")):
        trial.begin(0)
        trial.advance(0)
        trial.core.flip_register(register, bit)
        assert trial.finish(0, 0) == expected, register
    assert set(REGISTERS) == {*(f"R{i}" for i in range(13)), "SP", "LR", "PC", "APSR"}


@pytest.mark.parametrize("name", ["brown-out", "reset"])
def test_the_run_behind_a_restart_is_right(make: Make, name: str) -> None:
    trial = make()
    assert next(session(trial, [KINDS[name]], 30, 1, silent)).harmless == 30
    trial.begin(0)
    whole = trial.advance(1000)
    KINDS[name].inject(trial, Random(1), 0, 1000)
    trial.core.restore(whole)
    trial.core.decay(np.random.default_rng(1), 3)
    lost = sum(int((a != b).sum()) for a, b in zip(whole.ram, trial.core.memory(), strict=True))
    size = sum(len(a) for a in whole.ram)
    assert 0.3 < lost / size < 0.5, "a bit of 16 in each byte"
    trial.core.restore(whole)
    assert trial.finish(0, 1000) == "harmless"


@pytest.mark.parametrize("board", [pytest.param(M0, marks=pytest.mark.slow), M4])
def test_a_stack_that_is_a_word_too_small_is_seen(make: Make, board: str) -> None:
    trial = make(board)
    core = trial.core
    room = core.stack_top - 64
    trial.prepare(0)
    assert trial.on_stack(0, room) == "harmless"
    depth = room - trial.lowest_word()
    trial.reset()
    trial.prepare(0)
    assert trial.on_stack(0, core.stack_limit + (depth + 15) // 8 * 8) == "harmless", "one that suffices"
    trial.reset()
    verdict, said = _stack(trial, Random(0), 0, 0)
    assert verdict == "stack" and f"{depth} are needed" in said


def test_every_wrong_alignment_has_a_status(make: Make) -> None:
    trial = make()
    arena, *others = trial.arguments
    for off in range(1, 16):
        trial.prepare(0)
        assert trial.run(0, (arena + off, *others)) == "status"


def test_the_same_seed_draws_the_same_faults(make: Make) -> None:
    """Of each kind by itself, and of each fault: more of them change nothing of the first."""
    trial, names = make(), ("weights", "registers")
    both = list(session(trial, [KINDS[n] for n in names], 30, 4, silent))
    assert list(session(trial, [KINDS["registers"]], 30, 4, silent)) == both[1:]
    found = {}
    for count in (10, 30):
        found[count] = dict(_during(trial, KINDS["registers"], count, 4, silent))
    assert found[10].items() < found[30].items()
    (other,) = session(trial, [KINDS["registers"]], 30, 5, silent)
    assert other.silent != both[1].silent


def test_a_program_has_its_check_already() -> None:
    program = edgekc.compile(MODEL, board=M4, check_run=True)
    try:
        found = edgekc.inject(program, faults=["late-tables"], runs=8, data=str(DATA / "digits_test.npz"), samples=3)
    except edgekc.ToolError as error:
        pytest.skip(str(error))
    assert (found.check, found.check_run, len(found.instructions)) == (True, True, 3)
    assert found.rows[0].detected == {"status": 8}


def test_where_nothing_lies_nothing_is_injected(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a network of reshapes, which has no tables."""
    trial = make()
    monkeypatch.setattr(trial, "places", Places(trial.places.weights, (), ()))
    tables, weights = session(trial, [KINDS["tables"], KINDS["weights"]], 5, 0, silent)
    assert (tables.injected, tables.detected, tables.harmless, tables.wrong) == (0, {}, 0, 0)
    assert weights.detected == {"check": 5}
