"""The walk of `compress`: a float model, a recipe and data to an .ekc, its accuracy, and a table of its bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from .. import affordable, tables, used
from ..data import UNLABELLED, Dataset, Source, for_graph, synthetic
from ..errors import UsageError
from ..evaluate import Accuracy, output_error
from ..format.pack import pack, read
from ..graph.ir import Graph, dump
from ..importers import import_model
from ..judgement import Judgement, Rival, judge, plain_int8, rival
from ..ops import legal
from ..parts import Part, Parts, check_test, described, read_parts, read_test, shared
from ..pipeline import source_metadata, to_integer
from ..progress import Log, Progress, quarters
from ..quantize.to_int8 import prepare
from .changes import Layer
from .run import compress
from .sizes import WEIGHT_PARTS, LayerSize, before, dense_weights, layer_sizes
from .state import OnProgress

if TYPE_CHECKING:
    from ..recipe import Recipe
    from ..train.trainer import Trainer

_INT8_MACS = 2 * affordable.MACS  # that calibrating and judging the plain int8 model may take, where nobody asks for it
_ERROR_SAMPLES = 256  # that the outputs of two models are compared on, where there are no labels


@dataclass(frozen=True, slots=True)
class Report:
    """What went in, what came out, and what it costs."""

    layers: tuple[LayerSize, ...]
    changed: dict[str, Layer]
    before: dict[str, int]  # weights of the source's layer that a layer was made of, see `sizes.before`
    weights: int  # of the source: bytes as int8
    ekc_bytes: int
    float_accuracy: Accuracy | None  # None without labelled samples
    packed_accuracy: Accuracy | None  # of the .ekc, on the bit-exact host emulator
    output_error: float | None  # relative, of the .ekc on a few samples, where there are no labels
    source_layout: str = ""  # NCHW: the source's images are (c, h, w), and so may those be that it is given
    judgement: Judgement | None = None  # what the accuracies are of, and the models beside each other

    @property
    def packed_weight_bytes(self) -> int:
        return sum(layer.packed for layer in self.layers)

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "weights_float32_bytes": 4 * self.weights,
            "weights_int8_bytes": self.weights,
            "weights_packed_bytes": self.packed_weight_bytes,
            "ekc_bytes": self.ekc_bytes,
            "float_accuracy": None if self.float_accuracy is None else asdict(self.float_accuracy),
            "packed_accuracy": None if self.packed_accuracy is None else asdict(self.packed_accuracy),
            "output_error": self.output_error,
            "judgement": None if self.judgement is None else self.judgement.as_json(),
            "layers": [
                {
                    **asdict(layer),
                    "float32_bytes": 4 * self.before[layer.name],
                    "int8_bytes": self.before[layer.name],
                    "packed": layer.packed,
                    "step": asdict(c) if (c := self.changed.get(layer.name)) else None,
                }
                for layer in self.layers
            ],
        }


def run(
    model: Path | Graph,
    name: str,
    recipe: Recipe,
    data: Source | None,
    test: Source | None,
    log: Log,
    *,
    validation: Source | None = None,
    against: Sequence[Path] = (),
    int8: bool | None = None,
    project: Path | None = None,
    on_progress: OnProgress = lambda title, progress: None,
    trainer: Callable[[], Trainer] | None = None,
    checkpoints: Path | None = None,
    origin: Mapping[str, str] | None = None,
) -> tuple[bytes, Report]:
    """Compress and evaluate.

    Args:
        model: a file, or the FLOAT graph that one was imported to.
        data: samples to train and calibrate on: a folder or zip of images by class, an .npz, or any iterable of
            batches such as a PyTorch DataLoader; of a folder or zip with splits, `train`.
        test: labelled samples that are read when all is done, and judge; None: the `test` split of `data`, or else
            those that choose.
        validation: labelled samples that choose; None: the `validation` split of `data`, or some that are split off.
        against: files of models that the packed one is compared with on the same samples.
        int8: whether it is compared with the plain int8 model too; None: where that is cheap.
        project: the folder whose `edgekc-data.json` says which samples have chosen before; this run's are added
            where it trained or judged. None: nothing is read or written.
        on_progress: is given the progress of each retraining.
        trainer: see `run.compress`.
        checkpoints: a folder that a killed run resumes from; None: none is kept.
        origin: of a graph: what the packed model says of its source, see `pipeline.source_metadata`.

    Raises:
        UsageError: the model is quantised already, or data and model do not fit.
    """
    source = import_model(model, name) if isinstance(model, Path) else replace(model, name=name)
    legal.require_float(source, str(model) if isinstance(model, Path) else model.name)
    rivals = [rival(path) for path in against]
    uses = () if project is None else used.read(project)
    check_test(data, test, recipe, source)
    parts = None if data is None else read_parts(data, validation, test, recipe, source, log)
    samples, told = None if parts is None else parts.train, quarters(log)
    if samples is not None and recipe.samples_wanted is None:
        warn_of_missing_classes(samples, source, log)
    result = compress(
        source, recipe, samples, log, validation=None if parts is None else parts.validation, on_progress=on_progress,
        trainer=trainer, checkpoints=checkpoints,
    )  # fmt: skip
    text = recipe.text
    metadata = source_metadata(model, model.read_bytes(), text) if isinstance(model, Path) else {
        **(origin or {}), "recipe": text
    }  # fmt: skip
    ekc = pack(to_integer(result.graph, metadata, log=log))
    key = hashlib.sha256(f"{dump(source)}{text}".encode()).hexdigest()
    judged = read_test(data, test, recipe)
    part = None if judged is None else described("test", judged)
    flags = _flags(parts, judged) + ([] if part is None else used.flags(uses, part, key))
    for flag in flags:
        log(f"warning: {flag}")
    plain = _plain_int8(source, parts, judged, recipe, int8, log)
    judgement = _judged(source, ekc, parts, judged, part, recipe, plain + rivals, told)
    if judgement is not None and flags:
        judgement = replace(judgement, flags=tuple(flags))
    if project is not None and (judgement is not None or recipe.trains):
        _record(project, parts, part, key, name, log)
    sizes = layer_sizes(read(ekc, "packed model"))
    made = Report(
        sizes,
        result.layers,
        before(prepare(source), sizes),
        dense_weights(source),
        len(ekc),
        None if judgement is None else judgement.base,
        None if judgement is None else judgement.packed,
        None if judgement is not None else _output_error(source, ekc, parts, recipe, log, told),
        source.metadata.get("source_layout", ""),
        judgement,
    )
    return ekc, made


def _flags(parts: Parts | None, test: Dataset | None) -> list[str]:
    if parts is None or test is None:
        return []
    chosen = [] if parts.validation is None else shared(parts.validation, test, "validation", "test")
    return shared(parts.train, test, "training", "test") + chosen


def _record(project: Path, parts: Parts | None, test: Part | None, key: str, name: str, log: Log) -> None:
    """What this run did with its samples; not worth losing the run's result for."""
    found = [] if parts is None else parts.described()
    try:
        used.add(project, found if test is None else [*found, ("test", test)], key, name)
    except UsageError as error:
        log(f"warning: what samples were used for is not recorded: {error}")


def _plain_int8(
    source: Graph, parts: Parts | None, test: Dataset | None, recipe: Recipe, wanted: bool | None, log: Log
) -> list[Rival]:
    """The plain int8 model to compare with; none where nothing judges, or the packed model is that one."""
    judges = test if test is not None or parts is None else parts.validation or parts.train
    if wanted is False or judges is None or judges.y is None or not recipe.compress:
        return []
    work = affordable.macs(source) * (len(judges) + 2 * affordable.samples(source, recipe.quantize.samples))
    if wanted is None and work > _INT8_MACS:
        log(f"note: not compared with the plain int8 model, which takes {work / 1e9:,.0f} billion multiply-accumulates")
        return []
    log("quantize: the plain int8 model, to compare with")
    return [plain_int8(source, None if parts is None else parts.train, recipe.quantize)]


def _judged(
    source: Graph,
    ekc: bytes,
    parts: Parts | None,
    test: Dataset | None,
    part: Part | None,
    recipe: Recipe,
    rivals: list[Rival],
    progress: Progress,
) -> Judgement | None:
    """By test samples, or else by those that chose, or else, and marked so, by those that trained; None: no labels."""
    if test is not None and part is not None:
        # The packed model does not know its source's layout.
        return judge(source, ekc, for_graph(test, source), part, rivals, False, progress)
    if parts is None or (parts.validation or parts.train).y is None:
        return None
    if parts.validation is not None:
        chose = described("validation", parts.validation, parts.split_off)
        return judge(source, ekc, for_graph(parts.validation, source), chose, rivals, recipe.trains, progress)
    samples = for_graph(parts.train, source)
    return judge(source, ekc, samples, described("train", samples), rivals, True, progress)


def warn_of_missing_classes(samples: Dataset, source: Graph, log: Log) -> None:
    """A warning through `log` where a training set has no sample of some of the model's classes.

    Raises:
        UsageError: all samples are of one class.
    """
    if samples.y is None:
        return
    classes = source.tensors[source.outputs[0]].shape[-1]
    there = set(samples.y.tolist()) - {UNLABELLED}
    missing = [str(k) for k in sorted(set(range(classes)) - there)]
    if len(there) == 1:
        what = f"all samples are of class {min(there)}, of {classes}: labels teach nothing"
        raise UsageError(what, where=samples.where, fix="pass samples of the other classes")
    if missing:
        what = f"class {missing[0]}" if len(missing) == 1 else f"classes {', '.join(missing[:10])}"
        log(f"warning: {samples.where}: no sample of {what}; a model that is trained on labels forgets what is missing")


def _output_error(
    source: Graph, ekc: bytes, parts: Parts | None, recipe: Recipe, log: Log, progress: Progress
) -> float:
    """What stands in for accuracy where there are no labels, said as a warning."""
    settings, kind = recipe.quantize, ""
    if parts is None:
        count = affordable.samples(source, _ERROR_SAMPLES)
        samples = synthetic(source, count, settings.seed + 1, settings.input_range)
    elif parts.validation is not None:
        samples, kind = parts.validation, " that nothing was trained on"
    else:
        samples, kind = parts.train, " that calibrated, too"
    chosen = affordable.some(samples, source, _ERROR_SAMPLES, settings.seed + 1)
    error = output_error(source, ekc, chosen, progress=progress)
    log(
        f"warning: no labels, so nobody knows the accuracy: on {len(chosen)} samples of {chosen.where}{kind} the "
        f"outputs of the packed model are {error:.1%} off those of the float model"
    )
    return error


def shown_parts(report: Report) -> list[tables.Part]:
    """The table of layers, and the totals."""
    number, words = tables.number, tables.words
    sheet = tables.Sheet(
        "bytes by layer", "layer", words("step"), number("float32"), number("int8"), number("packed"),
        words("made of"), number("error"),
    )  # fmt: skip
    for layer in report.layers:
        step = report.changed.get(layer.name)
        made_of = [f"{part} {layer.parts[part]:,}" for part in (*WEIGHT_PARTS, "bias") if part in layer.parts]
        count = report.before[layer.name]
        sheet.add(
            layer.name,
            "dense" if step is None else step.method,
            f"{4 * count:,}" if count else "",
            f"{count:,}" if count else "",
            f"{layer.packed:,}",
            ", ".join(made_of),
            "" if step is None or step.relative_error is None else f"{step.relative_error:.4f}",
        )
    weights, packed = report.weights, report.packed_weight_bytes
    times = f"{4 * weights / packed:.2f} and {weights / packed:.2f} times smaller"
    shown: list[tables.Part] = [
        sheet,
        f"weights: {4 * weights:,} bytes as float32, {weights:,} as int8, {packed:,} packed: {times}",
        f"the whole .ekc: {report.ekc_bytes:,} bytes",
    ]
    if report.judgement is not None:
        shown += report.judgement.lines()
    if report.output_error is not None:
        shown.append(f"outputs: {report.output_error:.2%} off those of the float model")
    return shown


def render(report: Report, console: Console | None = None) -> None:
    """Print them."""
    tables.show(shown_parts(report), console)
