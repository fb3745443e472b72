"""Records as commands print them, made up where the command itself takes long: names and numbers are long ones."""

from __future__ import annotations

from pathlib import Path

import edgekc
from edgekc import tables
from edgekc.exploration.candidate import Budget, Candidate, Figures
from edgekc.exploration.solve import Correlation
from edgekc.faults.records import Row as Fault
from edgekc.measure import matrix
from edgekc.mlperf.modes import Performance, Quality
from edgekc.study.engine import Identity
from edgekc.study.report import Findings
from edgekc.update.header import Header
from edgekc.update.sending import State

MODEL = "models/a_model_with_a_long_name_int8.tflite"
HASH = bytes(range(32))


def benched() -> list[tables.Part]:
    boards = ("nucleo-l4r5zi", "b-u585i-iot02a", "arduino-nano33ble")
    rows = [
        matrix.Row(MODEL, board, goal, "measured", "", 123_456, 65_432, 61_440, 1_024, 12_345_678, 13_456_789, 112.14)
        for board in boards
        for goal in ("speed", "size")
    ]
    rows.append(matrix.Row(MODEL, "microbit", "ram", "too large", "RAM lacks 12,345 bytes", *[None] * 7))
    before = [matrix.Row(*[getattr(row, n) for n in row.__slots__[:5]], 100_000, *[None] * 6) for row in rows[:3]]
    return edgekc.Bench(tuple(rows), matrix.changes(before, rows, 1.0), 1.0).parts()


def fuzzed() -> list[tables.Part]:
    sides = dict.fromkeys(("as imported", "LiteRT", "portable", "dsp-mve-thumb2", "mps3-an547"), 1234)
    finding = "seed 123456, exact: dsp-mve-thumb2, sample 3, layer 2 clustered_depthwise: element 12 is 7, expected 8"
    written = dict(
        finding=finding, side="portable", also=[], flags="-O3 -ffast-math", model="m", inputs="i", layers=2,
        command="edgekc verify found/fuzz-7-1.ekc --data found/fuzz-7-1.npz --board mps2-an386 --samples 4 --seed 0",
        text="layer 0 conv2d: element 1 is 2, expected 3", listing=["conv2d (1, 8, 8, 16)", "add (1, 8, 8, 16)"],
    )  # fmt: skip
    run = edgekc.Fuzzed(
        seed=123_456, seconds=3_600.1, networks=12_345, refused=40, runs=23_456, sides=sides, unheld=12, small=3,
        operators={"conv2d": 12}, findings=(finding, finding + " again"), first_s=1.0, written=(written,),
        notes=("LiteRT was not asked: it is not installed; pip install ai-edge-litert",), stopped=True,
    )  # fmt: skip
    return run.parts()


def injected() -> list[tables.Part]:
    by = {"check": 1_049, "status": 12, "fault": 153, "watchdog": 27, "stack": 3}
    silent = tuple(f"0x0800{i:04x} bit {i % 8} of conv_{i}" for i in range(8))
    rows = tuple(Fault(name, 1_000, by, 313, 240, silent) for name in ("weights", "late-tables", "stuck-flash"))
    return edgekc.Injection(
        "a_network_with_a_long_name", "nucleo-f446re", "cortex-m4f", "arm-none-eabi-gcc (15:12.2.rel1-1) 12.2.1",
        True, True, 7, (12_345_678,), rows,
    ).parts()  # fmt: skip


def benchmarked() -> list[tables.Part]:
    performance = Performance(10, (100_532_000,) * 5, "instructions, not time", 104, True)
    rows = [
        edgekc.MlperfRow(MODEL, name, performance, quality, ("no samples were named, so accuracy mode was not run",))
        for name, quality in (("ic", Quality(0.8512, 200, 170)), ("kws", None), ("ad", Quality(0.8731, 248, None)))
    ]
    return edgekc.Mlperf("nucleo-l4r5zi", "closed", "submission/closed/SUBMITTER", tuple(rows)).parts()


def searched() -> list[tables.Part]:
    found = []
    for i in range(6):
        layers = tuple(
            (f"features_{k}_conv", ("templates64+pairs4", "cluster4", "int8")[(i + k) % 3]) for k in range(9)
        )
        figures = Figures(64_000 - 1_000 * i, 20_480, 12_345_678, 0.0512, 0.4 + i / 10, 84.2, 19_960)
        over = {} if i % 2 else {"flash": 0.031}
        found.append(edgekc.Trial(i, "corrected", Candidate(layers), figures, over, 0.35, 41.2, "", "desk.local"))
    identity = Identity("0.1.0", HASH.hex(), HASH.hex(), "nucleo-f446re", 0)
    budget = Budget(64_000, 20_480, 0.05, 1.0)
    findings = Findings(
        "a_long_name", "nucleo-f446re", identity, budget, tuple(found), found[1], Correlation(0.91, 0.8, 6), True, None
    )
    return [*findings.lines(), *edgekc.Trials(findings).parts()]


def signed() -> list[tables.Part]:
    header = Header(4_000_000_000, 3, 2, 2, 12_345, 123_456, HASH[:16], HASH, HASH, True)
    return edgekc.Update(Path("updates/kws.eku"), 12_537, header, False).parts()


def updated() -> list[tables.Part]:
    state = State("OK", 1, 2, 1, 0, 123_456, 130_048, None, 7, True, HASH[:16], HASH)
    return edgekc.Installed("updates/kws.eku", "nucleo-f412zg over /dev/ttyACM0", 12_537, state, state).parts()


def made_keys() -> list[tables.Part]:
    return edgekc.KeyPair(Path("keys/update.pem"), Path("keys/update.pem.pub"), HASH).parts()


def project() -> list[tables.Part]:
    return edgekc.Project("keyword", "mps2-an386", Path(MODEL), Path("projects/wake"), {"Makefile": 1}).parts()


def built() -> list[tables.Part]:
    files = {"kws.elf": 123_456, "kws.map": 234_567, "image.bin": 98_765}
    return edgekc.Built("nucleo-f446re", "speed", Path("out/build/nucleo-f446re"), files).parts()


def ran() -> list[tables.Part]:
    layers = tuple((f"depthwise_conv_{i}", (1_234_567,)) for i in range(3))
    cycles = (12_345_678,) * 12
    return edgekc.BoardRun(
        "kws", "nucleo-f446re", "rtt", 12, b"", cycles, "dwt", "cycles", 1, False, 1_234, layers, 0
    ).parts()


def verified() -> list[tables.Part]:
    return edgekc.Verification(
        True, "", "kws", "nucleo-f446re", "unicorn", "speed", 16, 12, 4, HASH.hex(),
        ("net.tflite as imported, before any pass", "LiteRT 2.3.0's reference kernels"), ("a note",),
    ).parts()  # fmt: skip
