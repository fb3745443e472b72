"""The commands that need no board, network or training, one after the other: run by test_no_network.py.

python tests/supply/run_commands.py OUT FLOAT_MODEL DATA
"""

from __future__ import annotations

import sys
from pathlib import Path


def main(out: Path, model: Path, data: Path) -> None:
    from edgekc.assets import DEMO
    from edgekc.cli.main import app

    def command(*words: object) -> None:
        print("$ edgekc", *words, flush=True)
        app([str(word) for word in words], standalone_mode=False)

    digits = DEMO / "digits_int8.tflite"
    command("doctor")
    command("boards")
    command("demo", "-o", out / "demo")
    command("check", digits)
    command("compile", digits, "-o", out / "digits", "--package", "rust", "--sbom")
    command("verify", out / "digits", "--samples", 2, "--model", digits)
    command("run", out / "digits", "-o", out / "run.npz")
    command("measure", out / "digits")
    command("compress", model, "-o", out / "small.ekc", "--data", data, "--recipe", "cluster4")
    command("inspect", out / "small.ekc")
    command("report", out / "digits", "-o", out / "report.html")
    command("new-app", "keyword", "-o", out / "app")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
