"""Post-training quantisation of a real model, the MLPerf Tiny keyword spotter, on samples that it was not fitted to."""

from __future__ import annotations

import numpy as np
import pytest
from models import SHARED

from edgekc.data import load, take
from edgekc.evaluate import float_accuracy, host_accuracy
from edgekc.format.pack import pack
from edgekc.graph.ir import Quant
from edgekc.pipeline import to_integer
from edgekc.quantize.post_training import post_training
from edgekc.quantize.settings import Quantize


def test_keyword_spotting_loses_at_most_a_point() -> None:
    model, samples = SHARED / "models" / "kws_float.tflite", SHARED / "data" / "kws01.npz"
    for path in (model, samples):
        if not path.is_file():
            pytest.skip(f"{path.name} is not here: models and data are not part of the project")
    from importing import import_tflite_float

    graph = import_tflite_float(model.read_bytes(), "kws", str(model))
    data = load(samples, quant=Quant((0.58470290,), (83,)))
    calibration, test = take(data, np.arange(0, len(data), 2)), take(data, np.arange(1, len(data), 2))
    exact = float_accuracy(graph, test)
    assert exact.percent >= 89.5
    quantized = post_training(graph, calibration, Quantize())
    assert quantized.tensors["input"].quant == calibration.quant
    assert host_accuracy(pack(to_integer(quantized, {})), test).percent >= exact.percent - 1.0
