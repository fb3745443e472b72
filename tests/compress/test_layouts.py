"""Samples in a PyTorch model's own layout go through `compress` as those in ours do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekc import recipe as rc
from edgekc.compression.walk import run

torch = pytest.importorskip("torch", reason="PyTorch is not installed")


def test_samples_with_channels_first_and_last_give_one_accuracy(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(2, 4, 3, 2, 1), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
        torch.nn.Linear(4, 10),
    )  # fmt: skip
    model = tmp_path / "net.pt2"
    torch.export.save(torch.export.export(net.eval(), (torch.zeros(1, 2, 8, 6),)), model)
    x = np.random.default_rng(0).normal(size=(60, 2, 8, 6)).astype(np.float32)
    y = net(torch.from_numpy(x)).argmax(1).numpy()
    found = []
    for name, samples in (("first", x), ("last", x.transpose(0, 2, 3, 1))):
        np.savez(tmp_path / f"{name}.npz", x=samples, y=y)
        found.append(run(model, "net", rc.Recipe(), tmp_path / f"{name}.npz", None, lambda text: None)[1])
    assert found[0].packed_accuracy == found[1].packed_accuracy
    assert found[0].packed_accuracy is not None and found[0].packed_accuracy.percent > 80
