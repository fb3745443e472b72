from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the PyTorch importer needs torch")
pytest.importorskip("torch.ao.quantization.fx._decomposed", reason="this torch has no operators of pt2e")

from edgekc.emulate import imported  # noqa: E402
from edgekc.errors import UnsupportedError  # noqa: E402
from edgekc.importers.torch.importer import import_torch  # noqa: E402

PT2E = torch.ops.quantized_decomposed


def act(x: Any, scale: float, zero: int) -> Any:
    levels = PT2E.quantize_per_tensor(x, scale, zero, -128, 127, torch.int8)
    return PT2E.dequantize_per_tensor(levels, scale, zero, -128, 127, torch.int8)


class Net(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


def saved(function: Callable[[Any], Any], folder: Path) -> Path:
    program = torch.export.export(Net(function).eval(), (torch.randn(1, 3, 8, 8),))
    torch.export.save(program, folder / "net.pt2")
    return folder / "net.pt2"


def means(x: Any) -> Any:
    """As XNNPACKQuantizer writes a block with channel weights: the mean is one of real values, clipped nowhere."""
    y = torch.nn.functional.silu(act(x, 0.04, -7))
    return act(act(y, 0.012, -110) * act(y.mean((2, 3), keepdim=True), 0.003, -60), 0.002, -100)


def products(x: Any) -> Any:
    """As X86InductorQuantizer writes it: the product is one of real values."""
    y = torch.nn.functional.hardswish(act(x, 0.04, -7))
    gate = act(act(y, 0.012, -110).mean((2, 3), keepdim=True), 0.003, -60)
    return act(y * torch.sigmoid(gate), 0.006, -100)


@pytest.mark.parametrize("function", [means, products])
def test_real_values_stay_real(function: Callable[[Any], Any], tmp_path: Path) -> None:
    graph = import_torch(saved(function, tmp_path), "net")
    x = np.random.default_rng(0).normal(0, 1.4, (12, 3, 8, 8)).astype(np.float32)
    source, target = (graph.tensors[n].q for n in (graph.inputs[0], graph.outputs[0]))
    levels = np.clip(np.rint(x.transpose(0, 2, 3, 1) / np.float32(source.scale)) + source.zero_point, -128, 127)
    (got,) = imported.outputs(imported.prepare(graph), [levels.astype(np.int8)])
    with torch.no_grad():
        real = torch.cat([function(torch.from_numpy(each[None])) for each in x]).numpy()
    want = np.clip(np.rint(real.transpose(0, 2, 3, 1) / target.scale) + target.zero_point, -128, 127)
    assert np.abs(got - want).max() <= 1
    assert np.mean(got != want) < 0.01
    assert got.std() > 5


@pytest.mark.parametrize(
    "function",
    [
        lambda x: act(act(x, 0.03, 0) + torch.relu(x), 0.05, 0),
        lambda x: act(act(x, 0.03, 0) + act(x, 0.02, 1), 0.05, 0),
    ],
)
def test_an_input_is_read_in_one_way(function: Callable[[Any], Any], tmp_path: Path) -> None:
    with pytest.raises(
        UnsupportedError, match="an input that is read quantised by one operator, and otherwise"
    ) as error:
        import_torch(saved(function, tmp_path), "net")
    assert "input x" in str(error.value) and "\n" not in str(error.value)
