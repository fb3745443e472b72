"""Everything that edgekc delivers, made of the tree in the current folder: run by test_reproducible.py, twice.

python tests/supply/make_everything.py OUT FLOAT_MODEL DATA
"""

from __future__ import annotations

import sys
from pathlib import Path


def main(out: Path, model: Path, data: Path) -> None:
    sys.path.insert(0, ".ci")
    import backend

    import edgekc
    from edgekc.cli.main import app
    from edgekc.packages import PACKAGES

    assert Path(edgekc.__file__).is_relative_to(Path.cwd()), "another edgekc than that of this tree"

    def command(*words: object) -> None:
        app([str(word) for word in words], standalone_mode=False)

    packages = [word for kind in PACKAGES for word in ("--package", kind)]
    digits = Path("edgekc/demo/data/digits_int8.tflite")
    command("compile", digits, "-o", out / "digits", "--board", "mps2-an386")
    command("build", out / "digits")
    command("compile", digits, "-o", out / "packages", "--board", "rpi-pico", "--sbom", *packages)
    command("compress", model, "-o", out / "small.ekc", "--data", data, "--recipe", "cluster4")
    command("compile", out / "small.ekc", "-o", out / "small", "--board", "rpi-pico", "--embed", "file", "--strip")
    command("new-app", "keyword", "-o", out / "app")
    for kind, build in (("wheel", backend.build_wheel), ("sdist", backend.build_sdist)):
        (out / "dist").mkdir(exist_ok=True)
        print(kind, build(str(out / "dist")))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
