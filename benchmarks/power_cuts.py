"""Power cuts within and behind each step of updates, on a model of flash or on the simulated board.

    python benchmarks/power_cuts.py [--cuts 100000] [--seed 1] [--json]
    python benchmarks/power_cuts.py --board nucleo-f412zg [--cuts 1400] [--core-cuts 15] [--seed 1] [--json]

tests/update/power_cuts.c says what a setting is and what must hold, for the updater on this machine. With --board it is
the Cortex-M4 code of `edgekc build --updates` on the simulated chip, updated over its serial port, and
tests/update/simulated_cuts.py says the same. There Ed25519 is checked by the package cryptography in the core's place,
except in so many cuts as --core-cuts says. The same seed and count give the same figures. Needs a checkout and a C
compiler; with --board one for Arm, and unicorn.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "update")]

from update_device import program  # noqa: E402

RESULT = Path(__file__).resolve().parent / "results" / "power_cuts.json"
LONGEST = 400  # bytes of a payload
SLOT_BYTES = 4096  # of the 128 KiB of a sector: an update reads whole slots


def on_board(name: str, cuts: int, core_cuts: int, seed: int) -> dict[str, Any]:
    """Figures of the simulated board. Every second setting has blobs of a network, which runs; the others any bytes."""
    from simulated_cuts import Counts, any_bytes, prepare, tries, try_cut
    from simulated_device import BOARD, Device, firmware
    from simulated_network import blobs_of, folder_of

    if name != BOARD:
        sys.exit(f"only {BOARD} is simulated with its flash")
    count, core = Counts(), Counts()
    with tempfile.TemporaryDirectory() as temporary:
        folder = folder_of(Path(temporary) / "out")
        image = firmware(folder, Path(temporary) / "firmware", SLOT_BYTES)
        own, device = Device(image, native=False), Device(image, native=True)
        kinds = (blobs_of(folder), any_bytes(LONGEST))
    while count.cuts < cuts or core.cuts < core_cuts:
        chance = random.Random(seed + count.settings)
        setting = prepare(device, kinds[count.settings % len(kinds)], chance)
        planned = list(tries(setting, chance, 1))
        for cut in chance.sample(planned, 5):
            if core.cuts < core_cuts:
                try_cut(own, setting, cut, chance, core)
        for cut in planned:
            try_cut(device, setting, cut, chance, count)
        count.settings += 1
        print(f"{count.cuts:,} cuts", file=sys.stderr)
    total = {key: value + asdict(core)[key] for key, value in asdict(count).items()}
    return {"board": f"{name}, simulated", **total, "cuts_with_the_core_s_own_signature_check": core.cuts}


def on_model(cuts: int, seed: int) -> dict[str, Any]:
    """Figures of the model of flash."""
    command = [program("power_cuts", sanitized=False), str(seed), str(cuts)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--board", default="", help="the simulated board; without it a model of flash on this machine")
    parser.add_argument("--cuts", type=int, default=0, help="at least so many; by default 100,000, on a board 1,400")
    parser.add_argument("--core-cuts", type=int, default=15, help="on a board: with Ed25519 on the core itself")
    parser.add_argument("--seed", type=int, default=1, help="of the first setting; the others follow")
    parser.add_argument("--json", action="store_true", help=f"write {RESULT.relative_to(ROOT)}, or _BOARD beside it")
    arguments = parser.parse_args()
    seed, board = arguments.seed, arguments.board
    if board:
        found = on_board(board, arguments.cuts or 1_400, arguments.core_cuts, seed)
    else:
        found = on_model(arguments.cuts or 100_000, seed)
    found = {"first_seed": seed, **found}
    for name, number in found.items():
        print(f"{name.replace('_', ' '):41} {number if isinstance(number, str) else f'{number:,}':>26}")
    twice = found.get("units_programmed_twice", 0) + found.get("words_written_twice", 0)
    if found["neither"] or found["next_update_refused"] or twice:
        sys.exit("a cut left neither payload, an update was refused, or a unit was programmed twice")
    if arguments.json:
        path = RESULT.with_stem(f"{RESULT.stem}_{board}") if board else RESULT
        path.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
