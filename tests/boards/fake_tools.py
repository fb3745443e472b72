"""Programs that stand in for flash tools: small scripts on PATH that behave as a test says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, **bodies: str) -> None:
    """For each name a Python program whose body sees `arguments`; only these and /bin are on PATH."""
    folder.mkdir(exist_ok=True)
    for name, body in bodies.items():
        path = folder / name.replace("_", "-")
        path.write_text(f"#!{sys.executable}\nimport pathlib, shutil, sys, time\narguments = sys.argv[1:]\n{body}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
