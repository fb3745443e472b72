"""Bytes of .tflite files to graphs, for tests: what `edgekc.importers` does with a file of that kind."""

from __future__ import annotations

from edgekc.graph.ir import Graph
from edgekc.importers.tflite import file
from edgekc.importers.tflite.float32 import read_tflite_float
from edgekc.importers.tflite.int8 import read_tflite


def import_tflite(data: bytes, name: str, where: str) -> Graph:
    """The QUANTIZED graph of an int8 model; UnsupportedError with all that stands in its way."""
    return read_tflite(file.read(data, where), name, where).sound()


def import_tflite_float(data: bytes, name: str, where: str) -> Graph:
    """The FLOAT graph of a float model; UnsupportedError with all that stands in its way."""
    return read_tflite_float(file.read(data, where), name, where).sound()
