"""Comparisons, choices, ranks and embeddings of float models, by way of .pt2 and ONNX, with the source's values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the PyTorch importer needs torch")
pytest.importorskip("onnx", reason="the ONNX importer needs the package onnx")
from torch import nn  # noqa: E402
from torch_nets import Apply, in_layout, same_values, sqnr  # noqa: E402

from edgekc.data import Dataset  # noqa: E402
from edgekc.emulate import reference  # noqa: E402
from edgekc.errors import UnsupportedError  # noqa: E402
from edgekc.evaluate import host_outputs, input_levels  # noqa: E402
from edgekc.format.pack import pack, unpack  # noqa: E402
from edgekc.graph.ir import Array, Graph  # noqa: E402
from edgekc.importers import import_model  # noqa: E402
from edgekc.ops import legal  # noqa: E402
from edgekc.pipeline import to_integer  # noqa: E402
from edgekc.quantize import float_reference  # noqa: E402
from edgekc.quantize.post_training import post_training  # noqa: E402
from edgekc.quantize.settings import Quantize  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's own deprecations
IMAGE, WORDS = (3, 8, 8), (12,)


def larger(m: Any, x: Any) -> Any:
    a, b = m["a"](x), m["b"](x)
    x = torch.where(a > b, a, b) + torch.where(b < 0.25, b, torch.full_like(b, 0.25))
    return m["head"](x.mean((2, 3)))


def masked(m: Any, x: Any) -> Any:
    """The same as clamps and steps: a level beside a limit makes no large jump."""
    a = m["a"](x)
    inside = (a >= -0.5) & (a <= 0.75)
    outside = ~((a >= -0.5) & ~(a > 0.75))
    a = a.masked_fill(a > 1.0, 1.0) + 0.01 * inside.float() - 0.01 * outside.float() + 0.01 * torch.sign(a)
    rows = torch.arange(8).reshape(8, 1) < torch.arange(8).reshape(1, 8) + 3
    return m["head"](torch.where(rows, a, torch.tensor(0.0)).mean((2, 3)))


def ranked(m: Any, x: Any) -> Any:
    scores = m["head"](m["a"](x).mean((2, 3)))
    best = torch.topk(scores, 4, dim=1)
    least = torch.topk(scores, 2, dim=1, largest=False)
    return torch.cat([best.values, least.values, torch.floor(scores), torch.round(2 * scores)], 1)


def causal(m: Any, x: Any) -> Any:
    """Attention to rows before, by a mask of minus infinity, and by the lowest number."""
    x = m["rows"](x)
    later = torch.triu(torch.ones(12, 12), 1).bool()
    scores = (m["q"](x) @ m["k"](x).transpose(1, 2)).masked_fill(later, float("-inf"))
    x = torch.softmax(scores, -1) @ x
    scores = m["k"](x) @ m["q"](x).transpose(1, 2)
    return torch.softmax(scores + later.float() * torch.finfo(torch.float32).min, -1) @ x


def places(m: Any, x: Any) -> Any:
    return torch.topk(m["head"](m["a"](x).mean((2, 3))), 3, dim=1).indices


def words(m: Any, x: Any) -> Any:
    return m["head"](torch.relu(m["narrow"](m["rows"](x).transpose(1, 2))).mean(2))


def characters(m: Any, x: Any) -> Any:
    """More rows than half of a byte tells apart, and places beside them."""
    return m["head"]((m["many"](x) + m["places"](torch.arange(12))).mean(1))


def best_row(m: Any, x: Any) -> Any:
    """The row of the most likely class."""
    return m["rows"](m["head"](m["a"](x).mean((2, 3))).argmax(1))


def layers() -> dict[str, nn.Module]:
    return {
        "a": nn.Conv2d(3, 8, 3, padding=1), "b": nn.Conv2d(3, 8, 1), "head": nn.Linear(8, 6),
        "rows": nn.Embedding(30, 8), "many": nn.Embedding(200, 8), "places": nn.Embedding(12, 8),
        "q": nn.Linear(8, 8), "k": nn.Linear(8, 8), "narrow": nn.Conv1d(8, 8, 3, padding=1),
    }  # fmt: skip


NETS: dict[str, tuple[Callable[[Any, Any], Any], tuple[int, ...], int]] = {  # numbers of the input; 0: it is real
    "larger": (larger, IMAGE, 0),
    "masked": (masked, IMAGE, 0),
    "ranked": (ranked, IMAGE, 0),
    "places": (places, IMAGE, 0),
    "words": (words, WORDS, 30),
    "causal": (causal, WORDS, 30),
    "characters": (characters, WORDS, 200),
    "best_row": (best_row, IMAGE, 0),
}


def samples(shape: tuple[int, ...], numbers: int, count: int) -> Any:
    torch.manual_seed(count)
    return torch.randint(0, numbers, (count, *shape)) if numbers else torch.randn(count, *shape)


def module(name: str) -> nn.Module:
    torch.manual_seed(5)
    return Apply(NETS[name][0], **layers()).eval()


def files(name: str, folder: Path) -> dict[str, Path]:
    net, x = module(name), samples(*NETS[name][1:], 1)
    found = {kind: folder / f"net.{kind}" for kind in ("pt2", "onnx")}
    torch.export.save(torch.export.export(net, (x,)), found["pt2"])
    torch.onnx.export(net, (x,), str(found["onnx"]), dynamo=False, opset_version=17)
    return found


def run_int8(graph: Graph, data: Array, test: Array) -> tuple[Array, Array]:
    """The quantised network's outputs as reals, which C computes, and the float ones."""
    quantized = post_training(graph, Dataset(data, None, (), ""), Quantize(method="min-max"))
    integer = to_integer(quantized, {})
    ekc, given = pack(integer), input_levels(Dataset(test, None, (), ""), integer)
    levels = host_outputs(ekc, given)[0]
    np.testing.assert_array_equal(levels, reference.outputs(unpack(ekc, "net"), [given])[0])
    out = integer.tensors[integer.outputs[0]].q
    return (levels.astype(np.float64) - out.zero_point) * out.scale, float_reference.outputs(graph, [test])[0]


@pytest.mark.parametrize("name", NETS)
def test_networks(name: str, tmp_path: Path) -> None:
    net, (_, shape, numbers) = module(name), NETS[name]
    x, y = samples(shape, numbers, 8), samples(shape, numbers, 256)
    with torch.no_grad():
        want = [net(sample[None])[0] for sample in x]
    for kind, path in files(name, tmp_path).items():
        graph = import_model(path, "net")
        legal.check(graph)
        fed, more = (in_layout(graph, 0, v.numpy().astype(np.float32)) for v in (x, y))
        for sample, expected in zip(fed, want, strict=True):
            (got,) = float_reference.outputs(graph, [sample[None]])
            same_values(got.reshape(expected[None].shape), expected[None].numpy().astype(np.float32))
        if kind == "pt2":
            got, expected = run_int8(graph, more, fed)
            if name in ("places", "best_row"):  # a class apart where two are nearly as likely
                assert (got == expected).mean() > 0.5 if name == "places" else np.abs(got - expected).mean() < 0.5
            else:
                assert sqnr(got, expected) > (12 if name == "ranked" else 24)


def test_what_is_refused(tmp_path: Path) -> None:
    """More rows than a byte tells apart, and integers that are computed with."""

    def refused(forward: Callable[[Any, Any], Any], message: str) -> None:
        x = samples(WORDS, 30, 1)
        net = Apply(forward, rows=nn.Embedding(300, 4)).eval()
        path = tmp_path / "net.pt2"
        torch.export.save(torch.export.export(net, (x,)), path)
        data = Dataset(x.numpy().astype(np.float32), None, (), "")
        with pytest.raises(UnsupportedError, match=message):
            post_training(import_model(path, "net"), data, Quantize())

    refused(lambda m, x: m["rows"](x), "300 rows by numbers of int8; supported: up to 256 rows; use fewer")
    refused(lambda m, x: m["rows"](x + 1), "integers that are computed at run time")
