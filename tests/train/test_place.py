"""Where a training computes: devices, shares of a batch, images on disk; test_processes.py has several processes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekc.data import Dataset, load, take
from edgekc.errors import ToolError, UsageError
from edgekc.files import limits
from edgekc.files.classes import OnDisk
from edgekc.parts import described, shared
from edgekc.train.processes import Rank, rank, usual_workers
from edgekc.train.pytorch import crew

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from test_net import compressed, every_operator  # noqa: E402 - needs PyTorch
from test_sequences import STEPS, recurrent, remembered  # noqa: E402

from edgekc.compression.model import Model  # noqa: E402
from edgekc.graph.ir import Graph  # noqa: E402
from edgekc.quantize.to_int8 import prepare  # noqa: E402
from edgekc.train.batches import Augment, batches  # noqa: E402
from edgekc.train.choice import in_batches  # noqa: E402
from edgekc.train.loop import in_order  # noqa: E402
from edgekc.train.net import Net  # noqa: E402
from edgekc.train.place import Place, find_device, share  # noqa: E402
from edgekc.train.windows import windows  # noqa: E402

CPU = torch.device("cpu")
pytestmark = pytest.mark.fast


@pytest.mark.parametrize(("count", "size"), [(33, 2), (7, 3), (2, 4), (0, 2)])
def test_shares_are_the_whole_batch(count: int, size: int) -> None:
    parts = [share(count, rank, size) for rank in range(size)]
    assert np.array_equal(np.concatenate(parts), np.arange(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert all(len(Place(CPU, rank, size).rows(count)) for rank in range(size))  # one without any computes one


@pytest.mark.parametrize("augment", [Augment(True, 2), Augment(True, 1, mix=True)], ids=["moved", "mixed"])
def test_processes_compute_the_rows_of_one_batch(augment: Augment) -> None:
    x = np.random.default_rng(0).integers(0, 256, (50, 6, 5, 3), dtype=np.uint8)
    data = Dataset(x, None, (), "x")

    def drawn(place: Place) -> list[tuple[np.ndarray, np.ndarray]]:
        return list(batches(data, 21, augment, np.random.default_rng(4), place))

    whole, parts = drawn(Place(CPU)), [drawn(Place(CPU, rank, 3)) for rank in range(3)]
    assert len(whole) == 2
    for i, (values, chosen) in enumerate(whole):
        assert all(np.array_equal(part[i][1], chosen) for part in parts)
        assert np.array_equal(np.concatenate([part[i][0] for part in parts]), values)


@pytest.mark.parametrize(("lanes", "size"), [(3, 2), (2, 3)])
def test_processes_compute_the_lanes_of_one_window(lanes: int, size: int) -> None:
    data = remembered(7)
    places = [Place(CPU, rank, size) for rank in range(size)]
    seen = []
    for window, chosen in windows(data, 4, lanes, np.random.default_rng(1)):
        parts = [place.window(window, chosen) for place in places]
        assert all(np.array_equal(parts[0][1], index) for _, index in parts)
        assert sorted(parts[0][1]) == sorted(chosen)
        values = [
            part.x[part.there][: place._counts[place.rank]] for place, (part, _) in zip(places, parts, strict=True)
        ]
        assert np.array_equal(torch.cat(values).numpy(), data.x[parts[0][1]])
        assert all(part.there.any() for part, _ in parts)  # a process without any computes what nobody counts
        seen += list(chosen)
    assert sorted(seen) == list(range(len(data)))


def test_a_net_computes_where_its_batch_is() -> None:
    """PyTorch's device without data refuses what is elsewhere, as a GPU does."""
    meta = Place(torch.device("meta"))
    model = compressed()[0]
    nets: list[tuple[Graph | Model, bool]] = [(prepare(every_operator()), False), (model, False), (model, True)]
    for source, latent in nets:
        net = Net(source, latent=latent).to(meta.device)
        shape = net.source.graph.tensors[net.source.graph.inputs[0]].shape[1:]
        found = net(meta.put(torch.zeros(2, *shape)))
        found.sum().backward()
        assert found.device.type == "meta"
        assert all(p.grad.device.type == "meta" for p in net.parameters() if p.grad is not None)
    net = Net(recurrent()).to(meta.device)
    for x, _ in in_order(remembered(3), STEPS // 2, 6, meta):
        found = net(x)
        found.sum().backward()
        assert found.device.type == "meta"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there() -> None:
    assert find_device("auto", Rank(0, 1, 0)) == CPU
    with pytest.raises(UsageError, match=r"device cuda:1: .*; take device cpu, or auto"):
        find_device("cuda:1", Rank(0, 1, 0))
    with pytest.raises(UsageError, match="device cuda"), crew(True, "cuda", None):
        pass


def test_which_process_this_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert rank() == Rank(0, 1, 0)
    with pytest.raises(UsageError, match="no device is called 'gpu'"), crew(False, "gpu", None):
        pass
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert rank() == Rank(3, 4, 1)
    with crew(False, "cuda", None) as found:  # nothing trains: nobody looks for a GPU or the others
        assert not found.first
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    apart = pytest.raises(ToolError, match=r"several processes: cannot reach each other .*; start them with torchrun")
    with apart, crew(True, "cpu", None):
        pass
    monkeypatch.setenv("RANK", "4")
    with pytest.raises(UsageError, match="RANK=4 and WORLD_SIZE=4 are no process of several"):
        rank()
    assert 1 <= usual_workers(1) <= 8 and usual_workers(1000) == 1


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Dataset, Dataset]:
    """Images in memory, and the same where memory may hold fewer."""
    image = pytest.importorskip("PIL.Image", reason="images need Pillow")
    pixels = np.random.default_rng(0).integers(0, 256, (12, 200, 180, 3), dtype=np.uint8)
    for i, each in enumerate(pixels):
        (tmp_path / "ab"[i % 2]).mkdir(exist_ok=True)
        image.fromarray(each).save(tmp_path / "ab"[i % 2] / f"{i:02}é.png")
    held = load(tmp_path)
    monkeypatch.setenv(limits.VARIABLE, "1")
    with pytest.raises(UsageError, match="its 12 images take 1,296,000 bytes"):
        load(tmp_path)
    return held, load(tmp_path, on_disk=True)


def test_images_on_disk_are_those_in_memory(stored: tuple[Dataset, Dataset]) -> None:
    held, far = stored
    assert isinstance(far.x, OnDisk) and far.x.shape == held.x.shape
    assert np.array_equal(far.x[3:5], held.x[3:5]) and np.array_equal(far.x[7], held.x[7])
    some = np.array([9, 1, 4])
    kept = take(far, some)
    assert isinstance(kept.x, OnDisk) and np.array_equal(kept.x, held.x[some]) and kept.labels.tolist() == [1, 0, 0]
    assert shared(held, far, "training", "test") == [f"12 of the 12 test samples of {far.where} are training samples too, which flatters"]  # fmt: skip  # noqa: E501
    assert described("train", far).sha256 == described("train", replace(far)).sha256 != described("train", kept).sha256
    for path in Path(far.where).glob("*/*"):
        path.unlink()  # each file was hashed once, for all parts
    again = take(far, some)
    assert described("train", again).sha256 == described("train", kept).sha256


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_change_nothing(stored: tuple[Dataset, Dataset], workers: int) -> None:
    held, far = stored
    place, augment = Place(CPU, workers=workers), Augment(True, 3)
    wanted = list(batches(held, 5, augment, np.random.default_rng(2)))
    found = list(batches(far, 5, augment, np.random.default_rng(2), place))
    assert len(found) == len(wanted) == 2
    for (x, chosen), (y, index) in zip(found, wanted, strict=True):
        assert np.array_equal(x, y) and np.array_equal(chosen, index)
    for (x, _), (y, _) in zip(in_batches(far, 7, place), in_batches(held, 7), strict=True):
        assert torch.equal(x, y)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_image_that_goes_bad_is_one_line(stored: tuple[Dataset, Dataset], workers: int) -> None:
    far = stored[1]
    (Path(far.where) / "a" / "04é.png").write_bytes(b"no image")
    with pytest.raises(UsageError, match=r"a/04é\.png: cannot be read as an image") as caught:
        list(batches(far, 4, Augment(False, 0), np.random.default_rng(0), Place(CPU, workers=workers)))
    assert "\n" not in str(caught.value)
