"""Checkpoints are data: a pickle in their place is refused, and a state comes back as it was."""

from __future__ import annotations

import dataclasses
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from float_nets import FloatNet

from edgekc import recipe as rc
from edgekc.compress.checkpoints import Checkpoints, read_state
from edgekc.compress.model import Model
from edgekc.compress.state import Job, State
from edgekc.data import for_graph, synthetic
from edgekc.errors import UsageError
from edgekc.files import records
from edgekc.quantize.to_int8 import prepare

STEPS = (
    '[[compress]]\nmethod = "codebook"\nlayers = ["conv*"]\ntemplates = 4\n'
    '[[compress]]\nmethod = "pairs"\nbits = 2\n[[compress]]\nmethod = "cluster"\nlayers = ["fully*"]\nbits = 2\n'
)


class Payload:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


def states() -> tuple[Job, list[State]]:
    net = FloatNet(np.random.default_rng(0), (1, 6, 6, 3))
    graph = prepare(net.graph(net.fully_connected(net.mean(net.conv("input", 4)), 3)))
    samples = synthetic(graph, 4, 0, None)
    job = Job(graph, rc.parse(STEPS), None, for_graph(samples, graph), lambda text: None, lambda title, progress: None)
    found = [State(Model(graph), ranges={"input": (0.0, 1.5)}, train_books=frozenset(("a", "b")))]
    for i, step in enumerate(job.recipe.compress):
        found.append(step.apply(dataclasses.replace(job, where=f"compress[{i}]"), found[-1]))
    return job, found


def same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if dataclasses.is_dataclass(a):
        return type(a) is type(b) and all(same(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    job, found = states()
    for state in found:
        path = tmp_path / "x.state"
        path.write_bytes(records.dump(state, State))
        assert same(read_state(path), state)
    store = Checkpoints.open(tmp_path, job.source, job.recipe, job.samples)
    assert store.load(0) is None
    store.save(0, found[1])
    loaded = store.load(0)
    assert loaded is not None and same(loaded, found[1])


def test_trees_of_training_come_back_as_they_were() -> None:
    tree = {"epochs": 2, "net": {"w": np.arange(3.0)}, "state": {0: {"step": np.array(4.0)}}, "lrs": [0.1, None],
            "betas": (0.9, 0.999), "flags": [True, False, "x"]}  # fmt: skip
    assert same(records.load(records.dump(tree, Any), Any, "x"), tree)
    with pytest.raises(TypeError):
        records.dump({"x": object()}, Any)


def test_a_pickle_is_refused(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    job, _ = states()
    store = Checkpoints.open(tmp_path, job.source, job.recipe, job.samples)
    path = tmp_path / f"00-{store.keys[0]}.state"
    for data in (pickle.dumps(Payload(marker)), b"", b"PK\x03\x04"):
        path.write_bytes(data)
        with pytest.raises(UsageError, match="is no checkpoint of this version"):
            store.load(0)
    assert not marker.exists()


def test_a_pickle_in_the_place_of_a_training_is_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="training needs PyTorch")
    from edgekc.data import Dataset
    from edgekc.train.batches import Augment
    from edgekc.train.loop import Options, Trainable, scores_loss, train

    class Line(Trainable):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(3, 2)

        def forward(self, x: Any) -> Any:
            return self.layer(x)

    options = Options(2, 4, 1e-3, 1e-3, 0, "adam", 0.0, Augment(False, 0), "float32", 0)
    data = Dataset(np.zeros((8, 3), np.float32), np.zeros(8, np.int64), (), "x")
    marker, path = tmp_path / "marker", tmp_path / "x.training"
    path.write_bytes(pickle.dumps(Payload(marker)))
    with pytest.raises(UsageError):
        train(Line(), data, scores_loss(None, 0.0, 1.0), options, checkpoint=path)
    assert not marker.exists()
    path.write_bytes(records.dump({"epochs": 1, "net": {}, "optimizer": {}, "schedule": {}}, Any))
    with pytest.raises(UsageError, match="is no checkpoint of this training"):
        train(Line(), data, scores_loss(None, 0.0, 1.0), options, checkpoint=path)
