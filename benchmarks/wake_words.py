"""The four wake words of the wheel pymicro-wakeword over 1,000 steps, held against LiteRT, and what they take.

    pip install 'edgekc[benchmarks,litert]'
    python benchmarks/wake_words.py [--models DIR] [--board BOARD] [--json]

Each is a streaming network: int8 features of 30 ms in, a probability out, and six states that it keeps. Inputs are
random bytes for one half of the steps, and slow random walks for the other. Compared are the outputs of the generated C
with those of LiteRT's reference kernels, and every tensor of every step that both have by the definition. Asked: all
equal, and at most 8,192 bytes of arena and state. Instructions are those of one step on the board's emulator.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import tempfile
from pathlib import Path

import numpy as np

from edgekc.boards.board import Board, load_board
from edgekc.emulate import host, origin, reference
from edgekc.emulate.device import run_image
from edgekc.files.output import read_manifest, write_folder
from edgekc.firmware.build import build_image
from edgekc.graph.ir import Array
from edgekc.pipeline import compile_model, target_of

RESULT = Path(__file__).resolve().parent / "results" / "wake_words.json"
STEPS, MOST_BYTES = 1000, 8192


def models_of_the_wheel() -> Path:
    found = importlib.util.find_spec("pymicro_wakeword")
    if found is None or found.origin is None:
        raise SystemExit("pymicro-wakeword is not installed: pip install 'edgekc[benchmarks]', or name --models")
    return Path(found.origin).parent / "models"


def features(shape: tuple[int, ...]) -> Array:
    """int8 (STEPS, *shape), the same each time."""
    rng = np.random.default_rng(0)
    half = STEPS // 2
    noise = rng.integers(-128, 128, (half, *shape))
    walk = np.cumsum(rng.normal(0, 5, (STEPS - half, *shape)), axis=0)
    walk = 70 * np.sin(walk / 40) + rng.normal(0, 8, walk.shape) - 30
    return np.clip(np.round(np.concatenate([walk, noise])), -128, 127).astype(np.int8)


def measured(model: Path, board: Board, folder: Path) -> dict[str, object]:
    """VerifyError where a byte differs."""
    compiled = compile_model(model, model.stem, target_of(board))
    out = folder / model.stem
    write_folder(compiled.files, out)
    manifest, graph = read_manifest(out), compiled.packed.graph
    x = features(graph.tensors[graph.inputs[0]].shape[1:])
    expected = reference.outputs(graph, [x])
    source = origin.find_source(out, model.stem, model)
    checked = origin.check(source, graph, manifest, [x], expected, STEPS)
    assert host.run(host.build(out), x.tobytes()) == expected[0].tobytes(), "the generated C differs"
    image = build_image(out, board, folder / f"{model.stem}-image")
    done = run_image(image, x[:3].tobytes(), timeout_s=120)
    assert done.outputs == expected[0][:3].tobytes(), f"{board.name} differs"
    arena, state = int(manifest["arena_bytes"]), int(manifest["state_bytes"])
    return {
        "steps": STEPS,
        "equal_to": list(checked.oracles),
        "distinct_outputs": int(np.unique(expected[0]).size),
        "ekc_bytes": int(manifest["ekc_bytes"]),
        "arena_bytes": arena,
        "state_bytes": state,
        "arena_and_state_bytes": arena + state,
        "within_8_kb": arena + state <= MOST_BYTES,
        "macs": int(manifest["macs"]),
        "instructions_a_step": None if done.instructions is None else max(done.instructions),
        "instructions_to_within": done.resolution,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, help="folder with the .tflite files; else those of the wheel")
    parser.add_argument("--board", default="mps2-an386", help="whose kernels are taken")
    parser.add_argument("--json", action="store_true", help=f"write {RESULT.name}")
    arguments = parser.parse_args()
    board = load_board(arguments.board)
    rows: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory(prefix="edgekc-wake-words-") as temporary:
        for model in sorted((arguments.models or models_of_the_wheel()).glob("*.tflite")):
            row = rows[model.stem] = measured(model, board, Path(temporary))
            print(
                f"{model.stem:12} {STEPS:,} steps equal {row['equal_to'][-1]}; arena {row['arena_bytes']:,} + state "  # type: ignore[index]
                f"{row['state_bytes']:,} = {row['arena_and_state_bytes']:,} bytes, at most {MOST_BYTES:,}: "
                f"{'met' if row['within_8_kb'] else 'missed'}; {row['instructions_a_step']:,} instructions a step"
            )
    if arguments.json:
        command = f"python benchmarks/wake_words.py --board {board.name} --json"
        RESULT.write_text(json.dumps({"command": command, "board": board.name, "models": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
