"""Builds, a search, or measurements to a report: one HTML file with every chart, and the network in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import tables
from ..data import Dataset, batches_for, for_graph, take
from ..errors import BoardError, ToolError, UsageError
from ..evaluate import input_levels
from ..files.output import check_writable, write_file
from ..files.place import recover
from ..graph.ir import Array, Stage
from ..measure import difference
from ..packages import wasm
from ..progress import Progress, silent
from ..report import live
from ..report.against_float import error_chart, layer_errors
from ..report.chart import Chart
from ..report.confusion import confusion
from ..report.growth import growth
from ..report.headlines import headlines
from ..report.layers import cycles_by_layer
from ..report.network import network_chart
from ..report.page import MAGIC, Page, render
from ..report.ram import ram_over_time
from ..report.roofline import roofline
from ..report.searched import read_search, search_chart
from ..report.treemap import treemap
from ..report.weights import codebooks, histograms
from .compiling import compile as compile_model
from .compiling import open_program
from .model import load
from .offered import offered_samples
from .program import Program
from .results import Evaluation, Verification
from .samples import dataset_of, with_quant

_MOST_BYTES = 2_000_000  # of a page with the network in it
_FLOAT_SAMPLES = 8  # that layers are compared with the float model on


@dataclass(frozen=True, slots=True)
class Report(tables.Shown):
    """Everything that is known of a build, a pair of builds or a search, as charts and as a page.

    Attributes:
        page: what the file holds.
    """

    page: Page

    @property
    def charts(self) -> tuple[Chart, ...]:
        """Each is shown by itself in a notebook."""
        return self.page.charts

    @property
    def html(self) -> bytes:
        """The file: HTML with pictures, styles and program inside. Nothing else is loaded."""
        return render(self.page)

    def save(self, path: str | Path) -> Path:
        """Write the file, completely or not at all, over an earlier report or an empty file.

        Raises:
            UsageError: something else is there, or it cannot be written.
        """
        target = Path(path)
        check_report_file(target)
        write_file(target, self.html, magic=MAGIC, force=False)
        return target

    def to_dict(self) -> dict[str, Any]:
        """Headline figures, proof and notes."""
        return {
            "title": self.page.title,
            "headlines": [{"label": h.label, "value": h.value, "note": h.note} for h in self.page.headlines],
            "proof": list(self.page.proof),
            "charts": [chart.key for chart in self.charts],
            "notes": list(self.page.notes),
        }

    def parts(self) -> list[tables.Part]:
        """The headline figures, a line each."""
        lines = [f"{h.label}: {h.value}{f' ({h.note})' if h.note else ''}" for h in self.page.headlines]
        return [self.page.title, *lines, *self.page.proof, *(f"note: {note}" for note in self.page.notes)]

    def _repr_html_(self) -> str:
        return tables.html(self.parts()) + "".join(chart._repr_html_() for chart in self.charts)


@dataclass(frozen=True, slots=True)
class _Build:
    """One side of a report: a program that can be asked, or a measurement alone."""

    label: str
    program: Program | None
    read: Mapping[str, Any] | None = None  # a measurement's file

    def measured(self, progress: Progress) -> Mapping[str, Any]:
        """What `edgekc measure --json` prints of it."""
        if self.program is None:
            assert self.read is not None
            return self.read
        progress(f"measure {self.label}", 0, 0)
        found: Mapping[str, Any] = self.program.measure(samples=1, progress=progress).measurement.as_json()
        plain: dict[str, Any] = json.loads(json.dumps(found))
        return plain


@dataclass(frozen=True, slots=True)
class _Asked:
    """What `make_report` was asked; see there."""

    data: Any
    float_model: Any
    model: str | Path | None
    board: str
    samples: int
    verify: bool
    embed: bool
    count: int | None
    progress: Progress


@dataclass(slots=True)
class _Found:
    """What a page is put together from, as it comes."""

    charts: list[Chart] = field(default_factory=list)
    proof: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    verified: Verification | None = None
    evaluated: Evaluation | None = None
    dataset: Dataset | None = None  # the data, in the layout of the packed model


def check_report_file(path: str | Path) -> None:
    """UsageError where `Report.save` would write over something else than a report."""
    check_writable(Path(path), magic=MAGIC)


def make_report(
    source: Any,
    other: Any = None,
    *,
    data: Any = None,
    float_model: Any = None,
    model: str | Path | None = None,
    board: str = "",
    samples: int = 8,
    verify: bool = True,
    embed: bool = True,
    count: int | None = None,
    progress: Progress = silent,
) -> Report:
    """Measure, verify and draw.

    Args:
        source: a compiled folder or a Program; a file of `edgekc measure --json`; or the folder of a search, whose
            chosen model is compiled as the search says.
        other: another build, as `source` but for searches: what grew from `source` to `other` is shown first.
        data: labelled samples, as `Program.evaluate` takes them: for accuracy, and for the page to choose from.
        float_model: the float model that the packed one was made of: layers are compared with it.
        model: the file that was compiled, as in `Program.verify`.
        board: for folders. Default: what each was compiled for.
        samples: inputs that `verify` compares, and the page offers where there is no data.
        verify: whether reference, host and device are compared.
        embed: whether the page holds the network as WebAssembly.
        count: only the first so many samples of the data. Default: all.
        progress: is told what runs.

    Raises:
        UsageError: a source is none of these, or damaged; data or float model do not fit.
        BoardError, CapacityError, ToolError: a build cannot be measured.
        VerifyError: the stack went deeper than its static bound.
    """
    asked = _Asked(data, float_model, model, board, samples, verify, embed, count, progress)
    if other is not None:
        if data is not None or float_model is not None:
            raise UsageError("two builds are compared by what they cost", fix="leave out --data and --float")
        return _of_two(_open(source, board), _open(other, board), progress)
    if _is_search(source):
        return _of_search(Path(source), asked)
    return _of_one(_open(source, board), _Found(), asked)


def _is_search(source: Any) -> bool:
    return isinstance(source, (str, Path)) and (Path(source) / "pareto.json").is_file()


def _open(source: Any, board: str) -> _Build:
    if isinstance(source, (str, Path)):
        path = Path(source)
        recover(path)
        if _is_search(path):
            raise UsageError("a search is not compared with a build", where=str(path), fix="report on one of them")
        if not path.is_dir():
            return _Build(path.stem, None, _read_measurement(path))
        return _Build(str(path), open_program(path, board=board))
    if not isinstance(source, Program):
        what = f"a {type(source).__name__}; expected a compiled folder, a Program, a measurement or a search"
        raise UsageError(what, where="report")
    return _Build(source.name, source)


def _read_measurement(path: Path) -> Mapping[str, Any]:
    """A file of `measure --json` of which everything can be drawn."""
    found = difference.read_measurement(path)
    try:
        treemap(found), cycles_by_layer(found), headlines(found, None), _subtitle(found)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        what = f"not a whole measurement ({type(error).__name__}: {error})"
        raise UsageError(what, where=str(path), fix="write it anew: edgekc measure OUT --json") from None
    return found


def _of_one(build: _Build, found: _Found, asked: _Asked) -> Report:
    program, errors = build.program, None
    if program is None and (asked.data is not None or asked.float_model is not None):
        raise UsageError("a measurement alone computes nothing", where=build.label, fix="pass the compiled folder")
    # What a user's files can be wrong about comes first.
    if program is not None and asked.data is not None:
        found.dataset = dataset_of(asked.data, None, program.graph, asked.count)
    if program is not None and asked.float_model is not None:
        errors = _errors(program, asked.float_model, found.dataset, asked.progress)
    if program is not None and asked.data is not None:
        found.evaluated = program.evaluate(asked.data, count=asked.count, progress=asked.progress)
        lines = found.evaluated.parts()
        sheets = [part for part in lines if isinstance(part, tables.Sheet)]
        matrix, classes = found.evaluated.confusion, found.evaluated.classes
        found.charts.append(confusion(matrix, classes, f"A{str(lines[0])[1:]}.", sheets))
    m = build.measured(asked.progress)
    manifest: Mapping[str, Any] | None = None if program is None else program.manifest
    if program is not None and asked.verify:
        found.verified = program.verify(samples=asked.samples, model=asked.model, progress=asked.progress)
        found.proof += [str(part) for part in found.verified.parts()]
    found.charts.append(treemap(m))
    if manifest is not None:
        found.charts += _if_there(ram_over_time(manifest))
    found.charts += _if_there(cycles_by_layer(m))
    if program is not None and manifest is not None:
        found.charts += _if_there(roofline(m, manifest, program.board.core))
        found.charts += _if_there(codebooks(program.graph)) + _if_there(histograms(program.graph))
        found.charts.append(network_chart(program.graph))
        found.charts += _if_there(errors)
    page = Page(
        str(m["name"]), _subtitle(m), headlines(m, manifest, *_proved(found)), tuple(found.proof), tuple(found.charts)
    )  # fmt: skip
    if program is not None and asked.embed:
        page = _with_network(page, program, found, asked)
    return Report(replace(page, notes=tuple(found.notes)))


def _if_there(chart: Chart | None) -> list[Chart]:
    return [] if chart is None else [chart]


def _proved(found: _Found) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    return (
        None if found.verified is None else found.verified.to_dict(),
        None if found.evaluated is None else found.evaluated.to_dict(),
    )


def _subtitle(m: Mapping[str, Any]) -> str:
    return f"on {m['board']}, {m['compiler']}, for {m['optimise']}"


def _of_two(before: _Build, after: _Build, progress: Progress) -> Report:
    first, then = before.measured(progress), after.measured(progress)
    changes = difference.compare_measurements(first, then)
    sheet = difference.changes_sheet("figures that differ", "", (c for c in changes if c.differs))
    charts = list(growth(before.label, after.label, changes, [sheet]))
    for side, build, m in (("before", before, first), ("after", after, then)):
        some = [treemap(m), cycles_by_layer(m)]
        if build.program is not None:
            some.insert(1, ram_over_time(build.program.manifest))
        charts += [replace(c, key=f"{c.key}-{side}", title=f"{c.title}, {build.label}") for c in some if c is not None]
    top = headlines(then, None if after.program is None else after.program.manifest, before=first)
    title = f"{before.label} to {after.label}"
    subtitle = f"{_subtitle(first)}; then {_subtitle(then)}"
    return Report(Page(title, subtitle, top, (), tuple(charts)))


def _of_search(folder: Path, asked: _Asked) -> Report:
    search = read_search(folder)
    found = _Found(charts=[search_chart(search)])
    chosen = search.chosen
    try:
        program = compile_model(
            load(folder / "best.ekc", name=search.name), board=asked.board or search.board, name=search.name,
            optimise=chosen.optimise, ram=chosen.ram,
        )  # fmt: skip
    except BoardError as error:
        found.notes.append(f"the chosen model: {error}")
        notes, charts = tuple(found.notes), tuple(found.charts)
        return Report(Page(f"Search: {search.name}", search.subtitle, (), (), charts, None, notes))
    report = _of_one(_Build(search.name, program), found, asked)
    return Report(replace(report.page, title=f"Search: {search.name}", subtitle=search.subtitle))


def _errors(program: Program, float_model: Any, dataset: Dataset | None, progress: Progress) -> Chart | None:
    """Layers beside those of the float model, on the first samples of the data, or on random ones."""
    model = load(float_model)
    if model.graph.stage is not Stage.FLOAT:
        raise UsageError("is not float", where=model.where, fix="pass the model that the packed one was made of")
    graph = program.graph
    if graph.states or len(graph.inputs) != 1:
        return None
    progress(f"run {model.where} layer by layer", 0, 0)
    edge = graph.tensors[graph.inputs[0]]
    if dataset is not None:
        dataset = take(dataset, np.arange(min(_FLOAT_SAMPLES, len(dataset))))
        levels: Array = input_levels(dataset, graph)
        exact = for_graph(with_quant(dataset, graph), model.graph)
        reals = np.concatenate([np.asarray(x) for x in batches_for(exact, model.graph, _FLOAT_SAMPLES)])
    else:
        info = np.iinfo(edge.dtype)
        rng = np.random.default_rng(0)
        shape = (_FLOAT_SAMPLES, *edge.shape[1:])
        levels = rng.integers(info.min, info.max + 1, shape).astype(edge.dtype)
        reals = (edge.q.scale * (levels.astype(np.float64) - edge.q.zero_point)).astype(np.float32)
    wanted = model.graph.tensors[model.graph.inputs[0]].shape[1:]
    if len(model.graph.inputs) != 1 or tuple(reals.shape[1:]) != tuple(wanted):
        raise UsageError(
            f"its input has shape {list(wanted)}, and the packed model's {list(edge.shape[1:])}", where=model.where,
            fix="pass the model that the packed one was made of",
        )  # fmt: skip
    of = f"{len(levels)} {'random inputs' if dataset is None else 'samples'}"
    chart = error_chart(layer_errors(graph, model.graph, [levels], [reals]), model.name, of)
    if chart is None:
        raise UsageError("no layer of it has the name of a packed one", where=model.where)
    return chart


def _with_network(page: Page, program: Program, found: _Found, asked: _Asked) -> Page:
    """The page with the program in it, or with a note that says why not."""
    asked.progress("build the network as WebAssembly", 0, 0)
    try:
        module = wasm.build(program, trace=True)
    except ToolError as error:
        found.notes.append(f"the network itself: {error}")
        return page
    if len(module) > live.MOST_BYTES:
        found.notes.append(
            f"the network itself: as WebAssembly it has {len(module):,} bytes, and a page takes {live.MOST_BYTES:,}"
        )
        return page
    classes = () if found.evaluated is None else found.evaluated.classes
    offered = offered_samples(program, found.dataset, asked.samples)
    whole = replace(page, live=live.live_data(module, program.manifest, program.graph, classes, offered))
    if (size := len(render(whole))) > _MOST_BYTES:
        found.notes.append(f"the network itself: with it the page would have {size:,} bytes, more than {_MOST_BYTES:,}")
        return page
    return whole
