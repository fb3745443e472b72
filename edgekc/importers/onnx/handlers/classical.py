"""Operators of the domain ai.onnx.ml, with which skl2onnx writes scikit-learn's models."""

from __future__ import annotations

import numpy as np

from ... import nchw
from ...value import Value, constant_value
from ..args import Args
from .common import Handler


def _numbers(a: Args, key: str) -> Value:
    return constant_value(np.asarray(a.attr(key, []), np.float32), a.node.name)


def _scaler(a: Args) -> Value:
    """(x - offset) * scale, of StandardScaler and MinMaxScaler."""
    out = nchw.binary(a.b, "sub", a.need(0, "X"), _numbers(a, "offset"))
    return nchw.binary(a.b, "mul", out, _numbers(a, "scale"))


def _regressor(a: Args) -> Value:
    """A layer of one output for each target."""
    x, targets = a.need(0, "X"), int(a.attr("targets", 1))
    if a.text("post_transform", "NONE") != "NONE":
        raise a.b.unsupported(f"post_transform {a.text('post_transform', 'NONE')!r}", "'NONE'")
    weights = np.asarray(a.attr("coefficients", []), np.float32).reshape(targets, -1)
    bias = np.asarray(a.attr("intercepts", np.zeros(targets)), np.float32)
    return nchw.fully_connected(a.b, x, constant_value(weights, a.node.name), constant_value(bias, ""))


def _probabilities(a: Args) -> Value:
    """A map from class labels to probabilities is the probabilities, in the order of the labels."""
    for key in ("classlabels_int64s", "classlabels_strings"):
        a.attr(key, [])
    return a.need(0, "X")


def _label(a: Args) -> Value:
    """The label of a class by its number, which is that number."""
    labels, number = a.need(0, "X"), a.need(1, "Y")
    if labels.data is None or labels.data.tolist() not in ([*range(labels.data.size)], [[*range(labels.data.size)]]):
        raise a.b.unsupported(
            "class labels that are not 0, 1, 2 and so on",
            "those; or export the probabilities alone, which say the same",
        )
    return number


HANDLERS: dict[str, Handler] = {
    "ai.onnx.ml.ArrayFeatureExtractor": _label,
    "ai.onnx.ml.LinearRegressor": _regressor,
    "ai.onnx.ml.Scaler": _scaler,
    "ai.onnx.ml.ZipMap": _probabilities,
}
