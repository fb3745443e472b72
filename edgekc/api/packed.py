"""A float model, a recipe and data to a Packed model, and the comparison of what a student learns from its teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from .. import recipe as rc
from .. import tables
from ..assets import RECIPES
from ..compression import walk
from ..data import Source
from ..errors import UsageError
from ..files.output import check_writable, write_file
from ..format.fields import MAGIC
from ..format.pack import read
from ..names import default_name, nearest
from ..progress import Log, unsaid
from ..train import comparison
from ..train.pytorch import crew
from .model import Model, check_float, load
from .samples import source_of

if TYPE_CHECKING:
    from ..compression.state import OnProgress

RecipeLike: TypeAlias = "rc.Recipe | str | Path | Mapping[str, Any] | None"


def _no_progress(title: str, progress: Any) -> None:
    """Drops how far a training is."""


@dataclass(frozen=True, slots=True)
class Packed(tables.Shown):
    """A compressed and quantised model, and what that cost.

    Attributes:
        name: of the network.
        data: the bytes of the .ekc file.
        report: bytes by layer, and the accuracy of the float and of the packed model where there were labels.
    """

    name: str
    data: bytes = field(repr=False)
    report: walk.Report = field(repr=False)

    @property
    def model(self) -> Model:
        """The same as `load` gives of its file. FormatError where the bytes are damaged."""
        where = f"{self.name}.ekc"
        graph = read(self.data, where).graph
        if self.report.source_layout:
            graph = replace(graph, metadata={**graph.metadata, "source_layout": self.report.source_layout})
        return Model(self.name, graph, where, Path(where), self.data)

    def save(self, path: str | Path) -> Path:
        """Write the .ekc file, completely or not at all, over an earlier .ekc or an empty file.

        Raises:
            UsageError: something else is there, or it cannot be written.
        """
        target = Path(path)
        write_file(target, self.data, magic=MAGIC, force=False)
        return target

    def to_dict(self) -> dict[str, Any]:
        """What `edgekc compress --json` prints."""
        return self.report.as_json()

    def parts(self) -> list[tables.Part]:
        """The table of layers, and the totals."""
        return walk.shown_parts(self.report)


def check_packed_path(path: str | Path) -> None:
    """UsageError where `Packed.save` could not write: to be said before hours of training, not behind them."""
    check_writable(Path(path), magic=MAGIC)


def list_recipes() -> tuple[str, ...]:
    """Names of the recipes that come with edgekc, sorted."""
    return tuple(sorted(path.stem for path in RECIPES.glob("*.toml")))


def load_recipe(recipe: RecipeLike) -> rc.Recipe:
    """The steps that `compress` takes.

    Args:
        recipe: the name of one that comes with edgekc (`cluster4`), the path of a TOML file, a mapping with the keys
            of one, or a Recipe. None: quantise only.

    Raises:
        UsageError: there is no such recipe, or one of its keys or values is wrong; names the nearest valid one.
    """
    if recipe is None:
        return rc.Recipe()
    if isinstance(recipe, rc.Recipe):
        return recipe
    if isinstance(recipe, Mapping):
        return rc.from_table(dict(recipe), "recipe")
    path = Path(recipe)
    if path.suffix or len(path.parts) > 1 or path.is_file():
        return rc.load(path)
    names = list_recipes()
    if str(recipe) not in names:
        fix = nearest(str(recipe), names, "recipes")
        raise UsageError(f"no recipe is called {str(recipe)!r}, and no such file exists", fix=fix)
    return rc.load(RECIPES / f"{recipe}.toml")


def compress(
    model: Any,
    *,
    data: Any = None,
    recipe: RecipeLike = None,
    validation: Any = None,
    test: Any = None,
    against: Sequence[str | Path] = (),
    int8: bool | None = None,
    project: str | Path | None = None,
    name: str = "",
    checkpoints: str | Path | None = None,
    device: str = "cpu",
    workers: int | None = None,
    log: Log = unsaid,
    on_progress: OnProgress = _no_progress,
) -> Packed:
    """Compress, retrain and quantise a float model by a recipe.

    Args:
        model: a path or Model, or whatever else `load` takes.
        data: samples to train and calibrate on: a folder or zip of images by class, an .npz with x and y, arrays
            (x, y) with x of shape (n, *sample), or (x, y, starts), or any iterable of batches, such as a PyTorch
            DataLoader. A folder with splits gives `train`. None: made-up samples set the ranges, and nothing can be
            retrained.
        recipe: see `load_recipe`. None: quantise only.
        validation: labelled samples that choose epochs and learning rates. Default: the split `validation` of the
            data, or a fifth of its samples, at most 5,000, split off by the recipe's seed, where a step trains or there
            is no test part.
        test: labelled samples that judge: read once, when all is done. Default: the split `test` of the data. Without
            any, accuracy is that of the validation samples, and the report says so.
        against: files of other models, such as the int8 one, to compare the packed model with on the same samples. The
            float model is always compared.
        int8: whether to compare it with the plain int8 model too, which is made of the same model and samples. Default:
            where that is cheap, which a note says where it is not.
        project: a folder whose file `edgekc-data.json` says which samples have chosen before; a test part that has is
            flagged, and this run's parts are added. None: nothing is read or written.
        name: of the network. Default: the model's.
        checkpoints: a folder that a killed run resumes from; None: none is kept.
        device: where steps that train compute: `cpu`, `cuda`, `cuda:1`, or `auto`, a GPU where there is one. Of several
            processes that torchrun has started each computes its share of every batch; all of them return the same
            model, and the first one writes and is heard.
        workers: processes that decode images which memory does not hold. None: by the number of cores; 0: none.
        log: is given what each step and pass did, a line each; those that begin with `warning` matter.
        on_progress: is given a title and the state of each training, batch by batch.

    Raises:
        UsageError: the model is quantised already, data and model do not fit, the recipe is wrong, or the device is
            not there.
        ModelError, UnsupportedError: as `load`.
        ToolError: a package that the recipe or the data needs is not installed.
    """
    steps = load_recipe(recipe)
    with crew(steps.needs_trainer, device, workers) as found:
        more = {
            "validation": source_of(validation),
            "project": None if project is None or not found.first else Path(project),
            "against": [Path(path) for path in against],
            "int8": int8,
            "on_progress": on_progress if found.first else _no_progress,
            "trainer": found.trainer,
            "checkpoints": None if checkpoints is None else Path(checkpoints),
        }
        return _compressed(model, name, steps, source_of(data), source_of(test), log if found.first else unsaid, more)


def _compressed(
    model: Any, name: str, steps: rc.Recipe, samples: Source | None, labelled: Source | None, log: Log,
    more: Mapping[str, Any],
) -> Packed:  # fmt: skip
    """A model of any kind by the recipe."""
    if isinstance(model, (str, Path)):
        path = Path(model)
        chosen = name or default_name(path)
        ekc, made = walk.run(path, chosen, steps, samples, labelled, log, **more)
        return Packed(chosen, ekc, made)
    source = load(model, name=name)
    check_float(source)
    chosen = name or source.name
    ekc, made = walk.run(
        source.graph, chosen, steps, samples, labelled, log, origin=source.origin, **more
    )  # fmt: skip
    return Packed(chosen, ekc, made)


def transfer(
    model: str | Path,
    *,
    recipe: RecipeLike,
    data: Any,
    validation: Any = None,
    test: Any = None,
    seeds: int = 3,
    checkpoints: str | Path | None = None,
    device: str = "cpu",
    workers: int | None = None,
    log: Log = unsaid,
    on_progress: OnProgress = _no_progress,
) -> comparison.Comparison:
    """Compare what the student of a recipe learns best from its teacher: nothing, its scores, or its activations.

    Args:
        model: path of the float model, the teacher.
        recipe: as in `load_recipe`; it makes a student and retrains it.
        data: labelled samples to train on, as in `compress`.
        validation: as in `compress`.
        test: labelled samples that judge: read once, when all students are trained. Default: the split `test` of the
            data, or the validation samples.
        seeds: runs of each variant.
        checkpoints: as in `compress`.
        device: as in `compress`.
        workers: as in `compress`.
        log: as in `compress`.
        on_progress: as in `compress`.

    Raises:
        UsageError: the recipe does not retrain, there are no labels, or data and model do not fit.
        ToolError: PyTorch is not installed.
    """
    steps = load_recipe(recipe)
    with crew(steps.needs_trainer, device, workers) as found:
        return comparison.compare_files(
            Path(model), steps, source_of(data), source_of(test), seeds, log if found.first else unsaid,  # type: ignore[arg-type]
            on_progress=on_progress if found.first else _no_progress, validation=source_of(validation),
            checkpoints=None if checkpoints is None else Path(checkpoints), trainer=found.trainer,
        )  # fmt: skip
