"""What a user calls data becomes a Dataset, in the same order every time, or one clear line."""

from __future__ import annotations

import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from float_nets import FloatNet

from edgekc.data import Dataset, for_graph, load, pick, real_batches, subset
from edgekc.errors import UsageError
from edgekc.graph.ir import Graph, Quant


def write_images(folder: Path, splits: dict[str, dict[str, int]], size: tuple[int, int] = (5, 4)) -> Path:
    """splits: split -> class -> number of images; every image has one grey value, its running number."""
    image = pytest.importorskip("PIL.Image", reason="images need Pillow")
    number = 0
    for split, classes in splits.items():
        for name, count in classes.items():
            (folder / split / name).mkdir(parents=True, exist_ok=True)
            for i in range(count):
                pixels = np.full((*size, 3), number, np.uint8)
                image.fromarray(pixels).save(folder / split / name / f"{i:04d}.png")
                number += 1
    return folder


def model(*shape: int, classes: int = 4, **metadata: str) -> Graph:
    net = FloatNet(np.random.default_rng(0), (1, *shape))
    x = net.mean("input") if len(shape) == 3 else "input"
    return net.graph(net.fully_connected(x, classes), **metadata)


def test_folder_and_zip_agree(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "set", {"train": {"cat": 3, "ant": 2}, "test": {"ant": 1, "cat": 1}})
    archive = tmp_path / "set.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*.png"), reverse=True):
            file.write(path, path.relative_to(folder).as_posix())
        file.writestr("train/cat/.hidden.png", b"")
        file.writestr("train/readme.txt", b"")
    for source in (folder, archive, str(archive)):
        data = load(source, split="train")
        assert data.classes == ("ant", "cat")
        assert data.y is not None
        assert data.y.tolist() == [0, 0, 1, 1, 1]
        assert data.x.shape == (5, 5, 4, 3)
        assert data.x[:, 0, 0, 0].tolist() == [3, 4, 0, 1, 2]
    plain = write_images(tmp_path / "plain", {"": {"a": 1, "b": 1}})
    assert load(plain).classes == ("a", "b")


def test_subset_by_seed(tmp_path: Path) -> None:
    folder = write_images(tmp_path, {"": {"a": 10, "b": 10}})
    whole = load(folder)
    part = load(folder, count=6, seed=3)
    again = subset(whole, 6, 3)
    np.testing.assert_array_equal(part.x, again.x)
    np.testing.assert_array_equal(part.labels, again.labels)
    assert len(part) == 6
    assert not np.array_equal(pick(20, 6, 3), pick(20, 6, 4))
    assert pick(5, 9, 0).tolist() == [0, 1, 2, 3, 4]


def test_npz_and_batches(tmp_path: Path) -> None:
    x, y = np.arange(24, dtype=np.int8).reshape(6, 4), np.array([0, 1, 2, 3, 0, 1], np.uint8)
    np.savez(tmp_path / "a.npz", x=x, y=y, scale=0.5, zero_point=-2)
    data = load(tmp_path / "a.npz")
    assert data.quant == Quant((0.5,), (-2,))
    np.testing.assert_array_equal(next(real_batches(data, 2)), (x[:2] + 2) * np.float32(0.5))
    tensor = SimpleNamespace(detach=lambda: SimpleNamespace(cpu=lambda: x[:2].astype(np.float64)))  # as torch's
    batches = load([(tensor, y[:2]), (x[2:], y[2:])])
    assert batches.x.dtype == np.float32
    assert batches.labels.tolist() == y.tolist()
    assert load([x[:3], x[3:]]).y is None
    assert load(tmp_path / "a.npz", quant=Quant((0.1,), (0,))).quant == Quant((float(np.float32(0.1)),), (0,))


def test_layouts() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 4)).astype(np.float32)
    data = Dataset(x, np.array([0, 3]), (), "d")
    np.testing.assert_array_equal(for_graph(data, model(5, 4, 3, source_layout="NCHW")).x, x.transpose(0, 2, 3, 1))
    grey = Dataset(x[:, 0], None, (), "d")
    assert for_graph(grey, model(5, 4, 1)).x.shape == (2, 5, 4, 1)
    with pytest.raises(UsageError, match=r"d: samples have shape \[3, 5, 4\], the model takes \[5, 4, 3\]"):
        for_graph(data, model(5, 4, 3))
    with pytest.raises(UsageError, match="d: samples have 4 channels, the model takes 1"):
        for_graph(data, model(3, 5, 1))
    with pytest.raises(UsageError, match=r"label 3 of sample 1 is out of range; the model has 3 classes"):
        for_graph(data, model(3, 5, 4, classes=3))
    with pytest.raises(UsageError, match="has no labels"):
        _ = grey.labels
    with pytest.raises(UsageError, match="int8 samples without scale and zero point"):
        next(real_batches(Dataset(np.zeros((1, 2), np.int8), None, (), "d")))


def test_bad_images(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "a", {"train": {"cat": 1, "dog": 1}, "test": {"cat": 1}})
    for split, expected in (
        ("test", "split 'test' has no image of class 'dog'"),
        ("valid", "has no split 'valid'; test, train"),
        ("", "has splits, and none was chosen; test, train"),
    ):
        with pytest.raises(UsageError, match=expected):
            load(folder, split=split)
    (folder / "train" / "cat" / "0002.png").write_bytes(b"no image")
    with pytest.raises(UsageError, match=r"train/cat/0002\.png: cannot be read as an image"):
        load(folder, split="train")
    other = write_images(tmp_path / "b", {"": {"a": 1}})
    write_images(other, {"": {"b": 1}}, size=(6, 4))
    with pytest.raises(UsageError, match=r"b/0000\.png: is \[6, 4, 3\], but .*a/0000\.png is \[5, 4, 3\]"):
        load(other)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no images by class"):
        load(tmp_path / "empty")
    with pytest.raises(UsageError, match="does not exist"):
        load(tmp_path / "nowhere")
    (tmp_path / "text").write_text("text")
    with pytest.raises(UsageError, match=r"is not a folder, a zip or an \.npz"):
        load(tmp_path / "text")


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"y": np.zeros(2)}, "has no array x"),
        ({"x": np.zeros((0, 4))}, "holds no samples"),
        ({"x": np.zeros((2, 4)), "y": np.zeros((2, 3), int)}, r"y has shape \[2, 3\], expected \[2\]"),
        ({"x": np.zeros((2, 4)), "y": np.zeros(2)}, "y has type float64, expected class numbers"),
        ({"x": np.zeros((2, 4)), "y": np.array([0, -1])}, "label -1 is negative"),
        ({"x": np.array([["a"]])}, r"x\.npy: is no array of numbers: its type is '<U1'"),
        ({"x": np.array([[np.nan]])}, "x holds NaN or infinity"),
        ({"x": np.zeros((2, 4), np.int8), "scale": 1.0}, "scale and zero_point must both be single numbers"),
        ({"x": np.array([[None]])}, r"x\.npy: is no array of numbers: its type is '\|O'"),
        ({"x": np.zeros((2, 4), bool)}, "x has type bool, expected uint8, int8 or float32"),
        ({"x": np.zeros((2, 4), np.int8), "scale": 1e-60, "zero_point": 0}, "scale is 1e-60, expected a positive"),
        ({"x": np.zeros((2, 4), np.int8), "scale": 1.0, "zero_point": 0.5}, "zero_point is 0.5, expected an integer"),
    ],
)
def test_bad_npz(tmp_path: Path, arrays: dict[str, np.ndarray], expected: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(UsageError, match=expected):
        load(tmp_path / "a.npz")


def test_bad_batches(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no samples"):
        load([])
    with pytest.raises(UsageError, match=r"batch 1 has shape \[2, 3\], batch 0 \[2, 4\]"):
        load([np.zeros((2, 4)), np.zeros((2, 3))])
    with pytest.raises(UsageError, match="1 of 2 batches have labels"):
        load([(np.zeros((2, 4)), np.zeros(2, int)), np.zeros((2, 4))])
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(UsageError, match=r"is not an \.npz of plain arrays"):
        load(tmp_path / "a.npz")
