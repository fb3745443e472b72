"""`edgekc search` and `edgekc.search` of a fake engine: files, tables, exit codes, one clear error for each mistake."""

from __future__ import annotations

import errno
import json
import os
import socket
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

pytest.importorskip("optuna", reason="the extra `search` is not installed")
pytest.importorskip("grpc", reason="the extra `search` is not installed")

from fake_engine import FakeEngine
from unit.cli_command import call, complaint, snapshot

import edgekc
from edgekc.api import searching
from edgekc.recipe import load
from edgekc.report.searched import read_search, search_chart
from edgekc.study import measured

MODEL = "net.onnx"
GOOD = ("search", MODEL, "--data", "d.npz", "--board", "nucleo-f446re", "--trials", "6")


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """What is searched instead of a real network."""
    found = FakeEngine()
    monkeypatch.setattr(searching, "_problem", lambda *_: None)
    monkeypatch.setattr(measured, "Measured", lambda *_: found)
    return found


@pytest.mark.fast
def test_the_command_writes_everything(tmp_path: Path, engine: FakeEngine) -> None:
    out = tmp_path / "out"
    result = call(*GOOD, "-o", out, "--max-flash", "4000", "--max-loss", "1.5")
    assert result.code == 0, result.err
    assert "best so far: flash" in result.err and "meets the budgets" in result.out
    assert {p.name for p in out.iterdir() if p.is_file()} == {
        "best.ekc", "recipe.toml", "report.md", "pareto.json", "pareto.svg", "study.journal",
    }  # fmt: skip
    load(out / "recipe.toml")
    found = json.loads((out / "pareto.json").read_text())
    (best,) = (t["candidate"] for t in found["trials"] if t["key"] == found["best"])
    built = " --optimise size" * (best["optimise"] == "size")
    assert f"as built by: edgekc compile best.ekc --board nucleo-f446re{built} -o DIR" in result.out
    assert found["met"] and found["budget"]["flash"] == 4000 and found["binding"] == ""
    stars = [t for t in found["trials"] if t["pareto"]]
    assert stars and found["best"] in {t["key"] for t in stars}
    svg = ElementTree.parse(out / "pareto.svg").getroot()
    assert len(svg.findall("{http://www.w3.org/2000/svg}circle")) == len([t for t in found["trials"] if t["figures"]])
    chart = search_chart(read_search(out))  # what `edgekc report` makes of it
    assert chart.pictures[0].count("<circle") == len({t["key"] for t in found["trials"] if t["figures"]})
    report = (out / "report.md").read_text()
    for words in ("## What was tried", "## What more of each budget buys", "Spearman", found["best"], "version = 1"):
        assert words in report
    again = call(*GOOD, "-o", out, "--max-flash", "4000", "--max-loss", "1.5", "--json")
    assert json.loads(again.out) == found and len(engine.calls) == len(found["trials"])


def test_no_candidate_meets_the_budgets(tmp_path: Path) -> None:
    result = call(*GOOD, "-o", tmp_path / "out", "--max-flash", "2300", "--max-loss", "0.1", "--epochs", "0")
    assert result.code == 1
    assert "no candidate meets the budgets. The nearest is" in result.out and "loss binds" in result.out
    assert (tmp_path / "out" / "best.ekc").is_file()


@pytest.mark.fast
def test_a_budget_below_the_least(tmp_path: Path) -> None:
    said = complaint(call(*GOOD, "-o", tmp_path / "out", "--max-flash", "1k"))
    assert "the least possible is 2,200 bytes" in said


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ((), "a search without a budget has nothing to look for; give one of --max-flash"),
        (("--max-latency", "50"), "--max-latency: '50' is no time above 0 with a unit; write 50ms"),
        (("--max-latency", "0ms"), "--max-latency: '0ms' is no time above 0"),
        (("--max-latency", "-1ms"), "--max-latency: '-1ms' is no time above 0"),
        (("--max-flash", "64q"), "--max-flash: '64q' is no number of bytes"),
        (("--max-flash", "0"), "--max-flash '0': nothing fits into that"),
        (("--max-ram", "-1"), "--max-ram: '-1' is no number of bytes"),
        (("--max-loss", "-1"), "--max-loss: -1.0 is no number of points"),
        (("--max-loss", "nan"), "--max-loss: nan is no number of points"),
        (("--max-loss", "1", "--time", "soon"), "--time: 'soon' is no time above 0 with a unit"),
        (("--max-loss", "1", "--time", "2"), "--time: '2' is no time above 0 with a unit"),
        (("--max-loss", "1", "--trials", "0"), "--trials: 0 is no whole number from 1 on"),
        (("--max-loss", "1", "--epochs", "-1"), "--epochs: -1 is no whole number from 0 on"),
        (("--max-loss", "1", "--seed", "-1"), "--seed: -1 is no whole number from 0 on"),
        (("--max-loss", "1", "--serve", "13000"), "--serve: '13000' is no HOST:PORT"),
    ],
)
def test_bad_options(tmp_path: Path, options: tuple[str, ...], why: str) -> None:
    assert complaint(call(*GOOD, "-o", tmp_path / "out", *options)).startswith(why)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_else(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    said = complaint(call(*GOOD, "-o", tmp_path, "--max-flash", "4000"))
    assert said == f"{tmp_path}: has other files in it, notes.txt; name a new or empty folder"
    assert snapshot(tmp_path) == {"notes.txt": b"mine"}


@pytest.mark.fast
def test_a_package_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = searching.importlib.util.find_spec
    monkeypatch.setattr(searching.importlib.util, "find_spec", lambda name: None if name == "optuna" else real(name))
    said = complaint(call(*GOOD, "-o", tmp_path / "out", "--max-flash", "4000"))
    assert said == "a search needs optuna; pip install 'edgekc[search]'"


@pytest.mark.parametrize("at", [0, 60, pytest.param(5, marks=pytest.mark.slow)])
def test_a_full_disk_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: FakeEngine, at: int
) -> None:
    """The disk is full at some line of the journal; where there is room again the search ends as it would have."""
    whole = searching.search(MODEL, data=None, board="b", out=tmp_path / "whole", max_flash=4000, trials=6, epochs=0)
    engine.calls.clear()
    done = 0

    def fsync(handle: int) -> None:
        nonlocal done
        done += 1
        if done > at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        result = call(*GOOD, "-o", out, "--max-flash", "4000", "--epochs", "0")
    said = result.err.splitlines()[-1].removeprefix("edgekc: error: ")
    assert (
        result.code == 2
        and said.startswith(f"{out}/")
        and "cannot be written: No space left on device; free some space" in said
    )
    first = list(engine.calls)
    found = searching.search(MODEL, data=None, board="b", out=out, max_flash=4000, trials=6, epochs=0)
    assert found.best.candidate == whole.best.candidate
    assert len(found.trials) == len(whole.trials)
    assert len(engine.calls) <= len(whole.trials) + 1 and engine.calls[: len(first)] == first


@pytest.mark.fast
def test_a_worker_that_finds_nobody() -> None:
    with socket.create_server(("localhost", 0)) as found:
        port = int(found.getsockname()[1])
    said = complaint(call("worker", f"localhost:{port}", "--model", MODEL, "--data", "d.npz", "--patience", "0"))
    assert said == f"localhost:{port}: no search answers there; start `edgekc search --serve` first"
    said = complaint(call("worker", "localhost", "--model", MODEL, "--data", "d.npz"))
    assert said == "address: 'localhost' is no HOST:PORT; write it like 0.0.0.0:13000"


# ---- Python ----


def test_the_record(tmp_path: Path) -> None:
    seen: list[edgekc.Trial] = []
    lines: list[tuple[str, int, int]] = []
    found = searching.search(
        MODEL, data=None, board="b", out=tmp_path / "out", max_flash="4k", max_latency=1.0, time="2h", trials=6,
        callbacks=[seen.append], progress=lambda *now: lines.append(now),
    )  # fmt: skip
    assert isinstance(found, edgekc.Search) and found.met
    assert found.best.figures is not None and found.best.figures.flash <= 4096
    assert list(found.trials) == sorted(seen, key=lambda t: t.number) and len(found.trials) == len(seen)
    assert found.trials[0].to_dict()["figures"]["flash"] > 0
    assert [row["key"] for row in found.trials.to_dict()] == [t.candidate.key for t in found.trials]
    assert found.trials._repr_html_().startswith("<svg ")
    for shown in (found, found.trials):
        assert "<table>" in shown._repr_html_() and found.best.candidate.key in str(shown)
    assert any("loss" in what for what, _, _ in lines)
    assert found.save(tmp_path / "x.ekc").read_bytes() == found.data == (tmp_path / "out" / "best.ekc").read_bytes()
    assert found.to_dict()["best"] == found.best.candidate.key


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), True])
def test_numbers_that_are_none(tmp_path: Path, value: float) -> None:
    with pytest.raises(edgekc.UsageError):
        searching.search(MODEL, data=None, board="b", out=tmp_path / "out", max_latency=value, time=value)
