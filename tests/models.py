"""Where the real models lie, when they are there."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
MODELS = ("ic", "kws", "vww", "ad")


def model_path(name: str) -> Path:
    """An int8 MLPerf Tiny model; skips the test, saying why, where the file is absent."""
    path = SHARED / "models" / f"{name}_int8.tflite"
    if not path.is_file():
        pytest.skip(f"{path.name} is not here: the MLPerf Tiny models are not part of the project")
    return path
