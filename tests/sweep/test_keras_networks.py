"""Small Keras networks, converted to int8 by TensorFlow: compiled, and equal to LiteRT's reference kernels."""

from __future__ import annotations

from pathlib import Path

import oracle
import pytest
from keras_networks import NETWORKS, converted

import edgekc

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing() or "there")]


@pytest.mark.parametrize("name", NETWORKS)
def test_network(name: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="the package tensorflow is not installed")
    path = tmp_path / f"{name}.tflite"
    path.write_bytes(converted(name))
    found = edgekc.compile(path).verify()
    assert found.ok, found.difference
