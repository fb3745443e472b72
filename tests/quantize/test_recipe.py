"""A recipe is what it says, or an error that names the key and the nearest valid one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from float_nets import FloatNet

from edgekc import recipe
from edgekc.compression.layers import layer_names, resolve
from edgekc.errors import UsageError

FULL = """
version = 1
[quantize]
method = "percentile"
percentile = 99.9
input_range = [0, 255]
[[compress]]
method = "codebook"
layers = ["conv2d_*"]
templates = 8
[[compress]]
method = "svd"
layers = ["fully_connected_2"]
energy = 0.9
[[compress]]
method = "gap"
[[compress]]
method = "prune"
keep = 0.5
[[compress]]
method = "dominant"
[[compress]]
method = "cluster"
bits = 3
"""


def test_reads_and_writes() -> None:
    read = recipe.parse(FULL)
    assert [step.method for step in read.compress] == ["codebook", "svd", "gap", "prune", "dominant", "cluster"]
    assert read.quantize.percentile == 99.9
    assert read.quantize.input_range == (0.0, 255.0)
    assert recipe.parse(recipe.dump(read)) == read
    assert recipe.parse("") == recipe.Recipe()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[quantise]", "r: quantise: unknown key; did you mean 'quantize'?"),
        ("[quantize]\nsample = 3", "r: quantize.sample: unknown key; did you mean 'samples'?"),
        ('[quantize]\nsamples = "3"', "r: quantize.samples: '3': should be a valid integer"),
        ('[quantize]\nmethod = "minmax"', "r: quantize.method: 'minmax' is not 'min-max', 'percentile' or 'mse'"),
        ("[quantize]\npercentile = nan", "r: quantize.percentile: nan: should be a finite number"),
        ("[quantize]\ninput_range = [1, 1]", "r: quantize: the first number of input_range must be below the second"),
        ("version = 2", "r: version: 2 is not 1"),
        ("quantize = 3", "r: quantize: 3: should be a valid table"),
        ('[[compress]]\nmethod = "clustr"', "r: compress[0]: unknown method 'clustr'; did you mean 'cluster'?"),
        ("[[compress]]\nbits = 3", "r: compress[0]: has no method; methods: cluster, codebook, pairs"),
        ('[[compress]]\nmethod = "gap"\n[[compress]]\nmethod = "cluster"\nbit = 3',
         "r: compress[1].bit: unknown key; did you mean 'bits'?"),
        ('[[compress]]\nmethod = "cluster"\nbits = 9', "r: compress[0].bits: 9: should be less than or equal to 8"),
        ('[[compress]]\nmethod = "cluster"\nlayers = "a"', "r: compress[0].layers: 'a': should be a valid list"),
        ('[[compress]]\nmethod = "svd"', "r: compress[0]: needs either rank or energy"),
        ('[[compress]]\nmethod = "codebook"\ntemplates = 4\nerror = 0.1', "needs either templates or error"),
        ('[[compress]]\nmethod = "retrain"\nepochs = 4\ndistill = 0.7\nmix = true',
         "mix needs distill = 1: labels do not blend"),
        ('[[compress]]\nmethod = "retrain"\nepochs = 4\nprecision = "float16"',
         "r: compress[0].precision: 'float16' is not 'float32' or 'bfloat16'"),
        ('[[compress]]\nmethod = "prune"', "r: compress[0].keep: is missing"),
        ("compress", "r: is not valid TOML: "),
    ],
)  # fmt: skip
def test_one_line_for_each_defect(text: str, expected: str) -> None:
    with pytest.raises(UsageError) as error:
        recipe.parse(text, "r")
    assert expected in str(error.value)
    assert "\n" not in str(error.value)


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    with pytest.raises(UsageError, match=r"r\.toml: cannot be read: No such file"):
        recipe.load(path)
    path.write_bytes(b"\xff")
    with pytest.raises(UsageError, match="is not UTF-8 text"):
        recipe.load(path)
    path.write_text(FULL)
    assert recipe.load(path) == recipe.parse(FULL)


def test_layer_names() -> None:
    net = FloatNet(np.random.default_rng(0), (1, 4, 4, 3))
    x = net.conv(net.conv("input", 4), 4)
    graph = net.graph(net.fully_connected(net.mean(x), 3))
    assert resolve(["*"], graph) == ("conv2d_0", "conv2d_1", "fully_connected_3")
    assert resolve(["fully_connected_3", "conv2d_?", "conv2d_0"], graph) == layer_names(graph)
    with pytest.raises(UsageError, match=r"no layer is called 'conv_1'; did you mean 'conv2d_1'\?"):
        resolve(["conv_1"], graph)
    with pytest.raises(UsageError, match=r"no layer is called 'x\*'; layers: conv2d_0, conv2d_1, fully_connected_3"):
        resolve(["x*"], graph)
    with pytest.raises(UsageError, match="'mean_2'"):  # has no weights
        resolve(["mean_2"], graph)
