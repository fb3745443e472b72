"""A trained net to one with only its largest weights, and what those would take: the baseline of other methods.

Single weights become zero (Han et al., "Learning both Weights and Connections", 2015: a threshold for each layer, in
proportion to the standard deviation of its weights), the rest are int8 by post-training quantisation. The device has
no kernel for such weights: this is what the bytes would be, made of the real integers, and the accuracy that they
would have, which is that of dense int8 weights with zeros, on the bit-exact host emulator. A layer takes the
smallest of three forms, each of them packed here and read back:

- dense: a byte for each weight
- bitmap: a bit for each weight, a byte for each that is not zero
- steps: 4 bits for the distance to the next stored weight, a byte for each (Han et al., "Deep Compression", 2016);
  a gap of 16 or more stores a zero on the way

Biases and requantisation constants are not counted, as they are not for the other methods. The curve that it belongs
to is made by benchmarks/accuracy_vs_bytes.py.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgekc.data import Dataset
from edgekc.evaluate import Accuracy, host_accuracy
from edgekc.format.pack import pack
from edgekc.graph.ir import Array, Graph, Role, constant
from edgekc.ops import filters_of
from edgekc.pipeline import to_integer
from edgekc.quantize.post_training import post_training
from edgekc.quantize.settings import Quantize


def keep(graph: Graph, share: float) -> Graph:
    """The FLOAT graph with only this share (0..1) of its weights not zero: the largest, in their layer's deviations."""
    names = [node.inputs[1] for node in graph.nodes if filters_of(node) is not None]
    sizes = {name: np.abs(graph.tensors[name].value) / max(float(graph.tensors[name].value.std()), 1e-30) for name in names}  # fmt: skip  # noqa: E501
    every = np.sort(np.concatenate([size.ravel() for size in sizes.values()]))[::-1]
    threshold = every[max(round(share * every.size) - 1, 0)]
    tensors = dict(graph.tensors)
    for name, size in sizes.items():
        tensors[name] = constant(name, np.where(size >= threshold, tensors[name].value, 0), Role.WEIGHTS)
    return replace(graph, tensors=tensors)


def to_bitmap(weights: Array) -> bytes:
    """int8 weights as a bit for each and the bytes of those that are not zero."""
    flat = weights.ravel()
    return np.packbits(flat != 0).tobytes() + flat[flat != 0].tobytes()


def from_bitmap(stored: bytes, count: int) -> Array:
    """(count,) int8."""
    head = -(-count // 8)
    there = np.unpackbits(np.frombuffer(stored[:head], np.uint8), count=count).astype(bool)
    out = np.zeros(count, np.int8)
    out[there] = np.frombuffer(stored[head:], np.int8)
    return out


def to_steps(weights: Array) -> bytes:
    """int8 weights as nibbles, the distance (1 to 16) from the stored weight before, and the stored bytes."""
    flat, at, last = weights.ravel(), [], -1
    for i in np.flatnonzero(flat).tolist():
        while i - last > 16:
            last += 16
            at.append(last)
        at.append(i)
        last = i
    places = np.array(at, np.int64)
    nibbles = np.diff(places, prepend=-1) - 1
    if len(nibbles) % 2:
        nibbles = np.append(nibbles, 0)
    return (nibbles[::2] | nibbles[1::2] << 4).astype(np.uint8).tobytes() + flat[places].tobytes()


def from_steps(stored: bytes, count: int) -> Array:
    """(count,) int8."""
    values = len(stored) * 2 // 3  # (n + 1) // 2 bytes of nibbles and n of values
    head = np.frombuffer(stored[: len(stored) - values], np.uint8)
    nibbles = np.stack([head & 15, head >> 4], 1).ravel()[:values].astype(np.int64)
    out = np.zeros(count, np.int8)
    out[np.cumsum(nibbles + 1) - 1] = np.frombuffer(stored[len(stored) - values :], np.int8)
    return out


def stored(quantized: Graph) -> int:
    """Bytes of all weights of a QUANTIZED graph, each layer in its smallest form."""
    total = 0
    for node in quantized.nodes:
        if filters_of(node) is None:
            continue
        weights = quantized.tensors[node.inputs[1]].value
        bitmap, steps = to_bitmap(weights), to_steps(weights)
        assert np.array_equal(from_bitmap(bitmap, weights.size), weights.ravel())
        assert np.array_equal(from_steps(steps, weights.size), weights.ravel())
        total += min(weights.size, len(bitmap), len(steps))
    return total


def measure(graph: Graph, calibration: Dataset, test: Dataset) -> tuple[int, Accuracy]:
    """Bytes of weights, and accuracy, of a FLOAT graph with zeros among its weights."""
    quantized = post_training(graph, calibration, Quantize(equalise="off"))
    return stored(quantized), host_accuracy(pack(to_integer(quantized, {})), test)
