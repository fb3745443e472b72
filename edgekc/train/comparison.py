"""A teacher, a recipe that makes and retrains a student, and data to a comparison of what to learn from the teacher.

The recipe is run several times; its retraining learns from the labels alone (plain), and from one thing more: the
teacher's scores (distillation), its activations as they are (hints), or what they say of the classes (kp). All else,
the student's start and the order of samples included, is the same for all.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from .. import tables
from ..compression.run import compress
from ..compression.state import OnProgress
from ..data import Dataset, Source, for_graph
from ..errors import UsageError
from ..evaluate import Accuracy, accuracy_of, float_accuracy, float_answers, host_answers
from ..format.pack import pack
from ..graph.ir import Graph, Role
from ..importers import import_model
from ..ops import legal
from ..paired import Paired
from ..paired import compare as compare_answers
from ..parts import Name, check_test, read_parts, read_test, shared
from ..pipeline import source_metadata, to_integer
from ..progress import Log
from ..quantize.to_int8 import prepare
from .pytorch import trainer
from .steps.retrain import Retrain

if TYPE_CHECKING:
    from ..recipe import Recipe
    from .trainer import Trainer


@dataclass(frozen=True, slots=True)
class Run:
    """One student of one variant."""

    variant: str
    seed: int  # added to the seed of each retraining
    parameters: int
    ekc_bytes: int
    float_percent: float
    packed_percent: float  # of the .ekc on the bit-exact host emulator
    paired: Paired | None = None  # the .ekc beside the teacher, on the same samples


@dataclass(frozen=True, slots=True)
class Spread:
    """Figures of several seeds."""

    mean: float
    deviation: float | None  # of a sample, with n - 1; None for one seed

    def __str__(self) -> str:
        return f"{self.mean:.2f}" if self.deviation is None else f"{self.mean:.2f} ± {self.deviation:.2f}"


@dataclass(frozen=True, slots=True)
class Comparison(tables.Shown):
    """The teacher, and the runs that are done."""

    teacher_parameters: int
    teacher_float: Accuracy
    runs: tuple[Run, ...]
    part: Name = "test"  # what the samples are that accuracies are of

    @property
    def variants(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(run.variant for run in self.runs))

    def packed(self, variant: str) -> Spread:
        return _spread([run.packed_percent for run in self.runs if run.variant == variant])

    def real(self, variant: str) -> Spread:
        return _spread([run.float_percent for run in self.runs if run.variant == variant])

    def parts(self) -> list[tables.Part]:
        """The table of variants."""
        return _parts(self)

    def to_dict(self) -> dict[str, Any]:
        """What `edgekc transfer --json` prints."""
        return self.as_json()

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "teacher": {"parameters": self.teacher_parameters, "float_percent": self.teacher_float.percent},
            "part": self.part,
            "test_samples": self.teacher_float.total,
            "student_parameters": max((run.parameters for run in self.runs), default=0),
            "variants": {
                name: {"packed_percent": asdict(self.packed(name)), "float_percent": asdict(self.real(name))}
                for name in self.variants
            },
            "runs": [
                {**asdict(run), "paired": None if run.paired is None else run.paired.as_json()} for run in self.runs
            ],
        }


def variants(recipe: Recipe) -> dict[str, Recipe]:
    """The recipe by what its retraining learns beside the labels.

    Distillation is compared where the recipe has a share of it; hints that come first, as in FitNets' two stages,
    where it has `transfer_epochs`.

    Raises:
        UsageError: the recipe does not retrain.
    """
    steps = [step for step in recipe.compress if isinstance(step, Retrain)]
    if not steps:
        raise UsageError("the recipe does not retrain", where="compress", fix='add a step with method = "retrain"')
    plain: dict[str, object] = {"distill": 0.0, "transfer": "none", "transfer_layers": None, "transfer_epochs": 0}
    made = {"plain": _with(recipe, lambda step: plain)}
    if any(step.distill != 0 for step in steps):
        made["distillation"] = _with(recipe, lambda step: {**plain, "distill": step.distill})
    beside = {"distill": 0.0, "transfer_epochs": 0}
    made["hints"] = _with(recipe, lambda step: {**beside, "transfer": "hints"})
    if any(step.transfer_epochs for step in steps):
        made["hints first"] = _with(recipe, lambda step: {"distill": 0.0, "transfer": "hints"})
    made["kp"] = _with(recipe, lambda step: {**beside, "transfer": "kp"})
    return made


def _with(recipe: Recipe, changes: Callable[[Retrain], dict[str, object]]) -> Recipe:
    """The recipe with changes to each of its retrainings."""
    steps = tuple(
        step.model_copy(update=changes(step)) if isinstance(step, Retrain) else step for step in recipe.compress
    )
    return recipe.model_copy(update={"compress": steps})


def _seeded(recipe: Recipe, seed: int) -> Recipe:
    return _with(recipe, lambda step: {"seed": step.seed + seed})


def compare(
    source: Graph,
    recipe: Recipe,
    samples: Dataset,
    test: Callable[[], Dataset],
    seeds: int,
    log: Log,
    *,
    validation: Dataset | None = None,
    part: Name = "test",
    metadata: Callable[[Recipe], dict[str, str]] = lambda recipe: {},
    on_progress: OnProgress = lambda title, progress: None,
    checkpoints: Path | None = None,
    trainer: Callable[[], Trainer] = trainer,
    done: Callable[[Comparison], None] = lambda comparison: None,
) -> Comparison:
    """Run all variants for each seed, one seed after the other, and then judge the students.

    Args:
        source: FLOAT; the teacher, unless the recipe's retraining names another model.
        samples: labelled; trained on.
        test: reads what judges, once, when all students are trained: labelled samples, all of which are looked at.
        validation: chooses epochs, see `compression.run.compress`.
        part: what `test` is of the data.
        metadata: what a packed model of a recipe says of its source.
        checkpoints: a folder that a killed run resumes from; None: none is kept. Steps in front of the retraining
            are done once for all variants.
        trainer: see `compression.run.compress`.
        done: is given the comparison so far after each student that is judged.

    Raises:
        UsageError: the recipe does not retrain, or samples have no labels.
    """
    source = prepare(source)
    recipes = variants(recipe)
    _ = samples.labels  # plain training needs them
    students: list[tuple[str, int, Graph, bytes]] = []
    kept = nullcontext(checkpoints) if checkpoints is not None else tempfile.TemporaryDirectory(prefix="edgekc-")
    with kept as folder:
        for seed in range(seeds):
            for name, variant in recipes.items():
                title = f"{name}, seed {seed}"
                seeded = _seeded(variant, seed)
                result = compress(
                    source, seeded, samples, _prefixed(log, title), validation=validation,
                    on_progress=_titled(on_progress, title), trainer=trainer, checkpoints=Path(str(folder)),
                )  # fmt: skip
                ekc = pack(to_integer(result.graph, metadata(seeded)))
                students.append((name, seed, result.model.graph, ekc))
                log(f"{title}: trained, {len(ekc):,} bytes")
    judging = for_graph(test(), source)  # a packed model does not know its source's layout
    taught, labels = float_answers(source, judging), judging.labels
    comparison = Comparison(parameters(source), accuracy_of(taught, labels), (), part)
    for name, seed, student, ekc in students:
        answers = host_answers(ekc, judging)
        exact, packed = float_accuracy(student, judging), accuracy_of(answers, labels)
        paired = compare_answers(answers, taught, labels, "teacher", part)
        log(f"{name}, seed {seed}: float {exact}, packed {packed}; against the teacher {paired}")
        run = Run(name, seed, parameters(student), len(ekc), exact.percent, packed.percent, paired)
        comparison = replace(comparison, runs=(*comparison.runs, run))
        done(comparison)
    return comparison


def compare_files(
    model: Path,
    recipe: Recipe,
    data: Source,
    test: Source | None,
    seeds: int,
    log: Log,
    *,
    validation: Source | None = None,
    on_progress: OnProgress = lambda title, progress: None,
    checkpoints: Path | None = None,
    trainer: Callable[[], Trainer] = trainer,
) -> Comparison:
    """`compare` for files; data, test and validation as in `compress.walk.run`.

    Raises:
        UsageError: the model is quantised already, data and model do not fit, or there are no labels.
    """
    variants(recipe)  # complains before anything is read
    source = import_model(model, "teacher")
    legal.require_float(source, str(model))
    tested = check_test(data, test, recipe, source)
    if test is not None and not tested:
        raise UsageError("has no labels", where=str(test), fix="accuracy needs them")
    found = read_parts(data, validation, test, recipe, source, log)
    samples, chooses = found.train, found.validation
    if samples.y is None:
        raise UsageError("has no labels", where=samples.where, fix="plain training and accuracy need them")
    if not tested and chooses is None:
        fix = "pass more samples, or --test"
        raise UsageError(f"its {len(samples)} samples are too few to split off any", where=samples.where, fix=fix)
    part: Name = "test" if tested else "validation"

    def judging() -> Dataset:
        if chooses is not None and not tested:
            return chooses
        labelled = read_test(data, test, recipe)
        if labelled is None:
            raise UsageError("has no labels", where="test", fix="accuracy needs them")
        seen = [] if chooses is None else shared(chooses, labelled, "validation", "test")
        for text in shared(samples, labelled, "training", "test") + seen:
            log(f"warning: {text}")
        return labelled

    content = model.read_bytes()

    def metadata(variant: Recipe) -> dict[str, str]:
        return source_metadata(model, content, variant.text)

    return compare(
        source, recipe, samples, judging, seeds, log, validation=chooses, part=part, metadata=metadata,
        on_progress=on_progress, checkpoints=checkpoints, trainer=trainer,
    )  # fmt: skip


def parameters(graph: Graph) -> int:
    """Weights and biases of a FLOAT graph."""
    return sum(t.value.size for t in graph.tensors.values() if t.data is not None and t.role in _TRAINED)


_TRAINED = (Role.WEIGHTS, Role.BIAS)


def _spread(values: list[float]) -> Spread:
    return Spread(statistics.mean(values), statistics.stdev(values) if len(values) > 1 else None)


def _prefixed(log: Log, title: str) -> Log:
    return lambda text: log(text if text.startswith(("warning", "note")) else f"{title}: {text}")


def _titled(on_progress: OnProgress, title: str) -> OnProgress:
    return lambda step, progress: on_progress(f"{title}: {step}", progress)


def _parts(comparison: Comparison) -> list[tables.Part]:
    """The table of variants."""
    seeds = len({run.seed for run in comparison.runs})
    which = f"{comparison.teacher_float.total:,} {comparison.part} samples"
    title = f"accuracy in % on {which}, mean and standard deviation of {seeds} seeds"
    headings = map(tables.number, ("packed", "float", "parameters", ".ekc bytes"))
    sheet = tables.Sheet(title, tables.words("learns from labels and"), *headings)
    for name in comparison.variants:
        runs = [run for run in comparison.runs if run.variant == name]
        sheet.add(
            "nothing else (plain)" if name == "plain" else name,
            str(comparison.packed(name)),
            str(comparison.real(name)),
            f"{runs[0].parameters:,}",
            f"{runs[0].ekc_bytes:,}",
        )
    least = max((run.parameters for run in comparison.runs), default=0)
    paired = [
        f"{run.variant}, seed {run.seed}, against the teacher: {run.paired}" for run in comparison.runs if run.paired
    ]
    return [
        sheet,
        *paired,
        f"teacher: {comparison.teacher_parameters:,} parameters, {comparison.teacher_float.percent:.2f}% as float; "
        f"the student has {100 * least / comparison.teacher_parameters:.1f}% of them",
    ]


def render(comparison: Comparison, console: Console | None = None) -> None:
    """Print it."""
    tables.show(_parts(comparison), console)
