"""Data to the parts that train, choose and judge: split off by seed and class, given, or found in folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from float_nets import FloatNet

from edgekc import recipe as rc
from edgekc import used
from edgekc.compression.walk import run
from edgekc.data import Dataset
from edgekc.errors import UsageError
from edgekc.graph.ir import Graph
from edgekc.parts import check_test, described, read_parts, read_test, shared, split_off, splits_of

TRAINS = rc.parse('[[compress]]\nmethod = "retrain"\nepochs = 1\n')
QUIET = rc.Recipe()


@pytest.fixture(scope="module")
def graph() -> Graph:
    made = FloatNet(np.random.default_rng(1), (1, 4, 4, 1), "relu")
    return made.graph(made.fully_connected(made.mean(made.conv("input", 2)), 4))


def labelled(n: int = 100, start: int = 0) -> tuple[np.ndarray, np.ndarray]:
    x = np.arange(start * 16, (start + n) * 16, dtype=np.float32).reshape(n, 4, 4, 1)
    return x, (np.arange(n) ** 2 % 4 + (np.arange(n) % 10 == 3)).clip(0, 3).astype(np.int64)


def test_the_same_share_of_each_class_goes_and_repeats() -> None:
    x, y = labelled()
    kept, out = split_off(Dataset(x, y, (), "d"), 0) or pytest.fail("nothing was split off")
    assert len(kept) + len(out) == 100 and not set(kept.x[:, 0, 0, 0]) & set(out.x[:, 0, 0, 0])
    for k in np.unique(y):
        members = int((y == k).sum())
        assert int((out.labels == k).sum()) == round(0.2 * members)
    assert np.array_equal((split_off(Dataset(x, y, (), "d"), 0) or (kept, kept))[1].x, out.x)
    assert not np.array_equal((split_off(Dataset(x, y, (), "d"), 1) or (kept, kept))[1].x, out.x)
    assert split_off(Dataset(x[:2], y[:2], (), "d"), 0) is None


def test_the_last_sample_of_a_class_stays_and_sets_are_bounded() -> None:
    y = np.array([0] * 40_000 + [1])
    kept, out = split_off(Dataset(np.zeros((len(y), 1), np.float32), y, (), "d"), 0) or pytest.fail("nothing")
    assert len(out) == 5000 and kept.labels[-1] == 1


def test_sequences_stay_whole() -> None:
    x = np.arange(30, dtype=np.float32)[:, None]
    starts = np.isin(np.arange(30), (0, 10, 14, 20))
    kept, out = split_off(Dataset(x, None, (), "d", None, starts), 0, True) or pytest.fail("nothing")
    assert kept.starts is not None and out.starts is not None and out.starts[0]
    assert sorted(np.concatenate([kept.x, out.x])[:, 0]) == list(range(30))
    one, end = split_off(Dataset(x, None, (), "d"), 0, True) or pytest.fail("nothing")
    assert one.x[-1] < end.x[0] == 24


def test_what_is_split_off_and_when(graph: Graph, tmp_path: Path) -> None:
    x, y = labelled()
    np.savez(tmp_path / "d.npz", x=x, y=y)
    np.savez(tmp_path / "x.npz", x=x)
    lines: list[str] = []
    for recipe, data, test, sizes in (
        (TRAINS, "d.npz", "d.npz", (80, 20)),  # a step trains
        (QUIET, "d.npz", "d.npz", (100, None)),  # nothing is chosen
        (QUIET, "d.npz", None, (80, 20)),  # nothing else judges
        (QUIET, "x.npz", None, (100, None)),  # nothing is judged
        (TRAINS, "x.npz", None, (80, 20)),
    ):
        parts = read_parts(tmp_path / data, None, test and tmp_path / test, recipe, graph, lines.append)
        assert (len(parts.train), parts.validation and len(parts.validation)) == sizes
        assert parts.split_off == (sizes[1] is not None)
    assert sum("20 of 100 samples" in line for line in lines) == 3
    assert read_test(tmp_path / "d.npz", None, QUIET) is None
    few = read_parts([(x[:3], y[:3])], None, None, TRAINS, graph, lines.append)
    assert few.validation is None and "too few" in lines[-1]


def test_validation_may_be_given_and_is_checked(graph: Graph) -> None:
    lines: list[str] = []
    parts = read_parts([labelled()], [labelled(30, 90)], None, TRAINS, graph, lines.append)
    assert (len(parts.train), parts.validation and len(parts.validation), parts.split_off) == (100, 30, False)
    assert lines == ["warning: 10 of the 30 validation samples of data are training samples too, which flatters"]
    assert read_parts([labelled()], [labelled()], [labelled()], QUIET, graph, lines.append).validation is None
    assert lines[1].startswith("note: validation samples are not looked at")
    with pytest.raises(UsageError, match="has no labels, but the training samples have"):
        read_parts([labelled()], [labelled()[0]], None, TRAINS, graph, lines.append)


def test_splits_of_folders(graph: Graph, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    for k, (split, count) in enumerate((("train", 6), ("val", 3), ("test", 2))):
        for name in "abcd":
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(count):
                image.fromarray(np.full((4, 4), 40 * k + i, np.uint8)).save(tmp_path / split / name / f"{i}.png")
    assert splits_of(tmp_path) == {"train", "val", "test"}
    parts = read_parts(tmp_path, None, None, TRAINS, graph, lambda text: None)
    assert (len(parts.train), parts.validation and len(parts.validation), parts.split_off) == (24, 12, False)
    assert len(read_test(tmp_path, None, TRAINS) or ()) == 8


def images(folder: Path, classes: tuple[str, ...]) -> Path:
    pillow = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    for name in classes:
        (folder / name).mkdir(parents=True)
        for i in range(6):
            pillow.fromarray(np.full((4, 4), 8 * i, np.uint8)).save(folder / name / f"{i}.png")
    return folder


@pytest.mark.parametrize(
    ("classes", "said"),
    [(("a", "b", "c"), "has no class 'd', unlike"), (("a", "b", "c", "e"), "has class 'e', unlike")],
)
def test_other_classes_are_refused(graph: Graph, tmp_path: Path, classes: tuple[str, ...], said: str) -> None:
    """Folders are numbered by name, so a class more or less would give the others other numbers."""
    data, other = images(tmp_path / "data", ("a", "b", "c", "d")), images(tmp_path / "other", classes)
    with pytest.raises(UsageError, match=said) as error:
        read_parts(data, other, None, TRAINS, graph, print)
    assert str(error.value).startswith(f"{other}: ") and "\n" not in str(error.value)
    with pytest.raises(UsageError, match=said):
        check_test(data, other, TRAINS, graph)
    assert check_test(data, images(tmp_path / "same", ("a", "b", "c", "d")), TRAINS, graph)


def test_one_class_is_none() -> None:
    """A model of one value answers class 0 to everything, which would be right each time."""
    made = FloatNet(np.random.default_rng(1), (1, 4, 4, 1), "relu")
    one = made.graph(made.fully_connected(made.mean(made.conv("input", 2)), 1))
    x, y = labelled(20)
    with pytest.raises(UsageError, match="has labels, but the model gives one value, no score a class"):
        run(one, "net", QUIET, [(x, y * 0)], None, print)


def test_samples_of_one_class_teach_nothing(graph: Graph) -> None:
    x, y = labelled(20)
    with pytest.raises(UsageError, match="all samples are of class 3, of 4: labels teach nothing"):
        run(graph, "net", TRAINS, [(x, y * 0 + 3)], None, print, trainer=lambda: None)  # type: ignore[arg-type, return-value]


def test_a_part_is_known_by_its_samples_and_labels() -> None:
    x, y = labelled()
    known = {described("test", Dataset(*pair, (), "d")).sha256 for pair in ((x, y), (x, None), (x, 3 - y), (x + 1, y))}
    assert len(known) == 4
    assert not shared(Dataset(x[:50], None, (), "d"), Dataset(x[50:], None, (), "d"), "training", "test")


def test_a_test_part_that_has_chosen_is_flagged(tmp_path: Path) -> None:
    x, y = labelled()
    test, data = (described("test", Dataset(x[at : at + 20], y[at : at + 20], (), "t.npz")) for at in (0, 50))
    assert used.read(tmp_path) == () and used.read(tmp_path / "none") == ()
    used.add(tmp_path, [("train", data), ("test", test)], "first", "net")
    uses = used.read(tmp_path)
    assert used.flags(uses, test, "first") == []  # the same model and recipe again chooses nothing
    assert used.flags(uses, test, "other")[0].startswith("the test samples of t.npz have judged 1 other model here")
    assert used.flags(uses, data, "first") == ["the test samples of t.npz trained or chose in earlier runs here (net)"]
    used.add(tmp_path, [("train", data), ("test", test)], "first", "net")
    assert used.read(tmp_path) == uses
    for text in ("{", "[]", '{"schema": 2, "uses": []}', '{"schema": 1, "uses": [{}]}'):
        (tmp_path / used.FILE).write_text(text)
        with pytest.raises(UsageError, match=r"edgekc-data\.json: is no record of what samples were used for"):
            used.read(tmp_path)
