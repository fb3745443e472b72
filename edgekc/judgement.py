"""A packed model, its float source and labelled samples to a judgement: accuracies, and each beside the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .data import Dataset
from .evaluate import Accuracy, accuracy_of, float_answers, host_answers
from .format.pack import pack
from .graph.ir import Array, Graph, Stage
from .importers import import_model
from .paired import Paired, compare
from .parts import Part
from .pipeline import integer_graph, read_model, to_integer
from .progress import Progress, silent, unsaid
from .quantize.post_training import post_training
from .quantize.settings import Quantize


@dataclass(frozen=True, slots=True)
class Rival:
    """A model that another one is compared with: its name, and what it answers (n,) to samples."""

    name: str
    answers: Callable[[Dataset], Array]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a packed model got right.

    Attributes:
        part: the samples; of `train` ones figures flatter.
        base: of the float model.
        packed: of the .ekc, on the bit-exact host emulator.
        comparisons: the packed model beside the float model, and beside each rival.
        seen: whether choices of the recipe looked at the samples.
        flags: what speaks against the samples: they are training samples too, or have chosen before.
    """

    part: Part
    base: Accuracy
    packed: Accuracy
    comparisons: tuple[Paired, ...]
    seen: bool
    flags: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints under `judgement`."""
        return {
            "part": asdict(self.part),
            "seen_by_choices": self.seen,
            "flags": list(self.flags),
            "comparisons": [found.as_json() for found in self.comparisons],
        }

    def lines(self) -> list[str]:
        """Accuracies, and a line for each comparison."""
        return [
            f"accuracy on {self._samples()}: float {self.base}; packed, bit-exact on the host {self.packed}",
            *(f"packed against {found.base}, same samples: {found}" for found in self.comparisons),
            *(f"beware: {flag}" for flag in self.flags),
        ]

    def _samples(self) -> str:
        part = self.part
        if part.name == "train":
            return f"the {part.samples:,} TRAINING samples of {part.where}, which flatters: nothing is left to judge by"
        how = ", split off" if part.split_off else ""
        if part.name == "test":
            how = ", read once, at the end"
        elif self.seen:
            how += ", which chose epochs"
        return f"{part.name}, {part.samples:,} samples of {part.where}{how}"


def judge(
    source: Graph,
    ekc: bytes,
    samples: Dataset,
    part: Part,
    rivals: Sequence[Rival],
    seen: bool,
    progress: Progress = silent,
) -> Judgement:
    """Run both models, and the rivals.

    Args:
        source: FLOAT.
        samples: labelled, in the layout of the source's input.
        seen: whether choices looked at them.
        progress: is told how many samples each model has answered.
    """
    answers = {"float": float_answers(source, samples, progress)}
    for each in rivals:
        progress(f"run {each.name}", 0, len(samples))
        answers[each.name] = each.answers(samples)
    found, labels = host_answers(ekc, samples, progress=progress), samples.labels
    comparisons = tuple(compare(found, given, labels, base, part.name) for base, given in answers.items())
    return Judgement(part, accuracy_of(answers["float"], labels), accuracy_of(found, labels), comparisons, seen)


def rival(path: Path) -> Rival:
    """A float, quantised or packed model file to compare with; raises as the importers do."""
    data = read_model(path)
    if path.suffix == ".ekc":
        return Rival(path.name, lambda samples: host_answers(data, samples, str(path)))
    graph = import_model(path, "rival")
    if graph.stage is Stage.FLOAT:
        return Rival(path.name, lambda samples: float_answers(graph, samples))
    ekc = pack(integer_graph(data, "rival", path, "tflite", unsaid, None))
    return Rival(path.name, lambda samples: host_answers(ekc, samples, str(path)))


def plain_int8(source: Graph, calibration: Dataset | None, settings: Quantize) -> Rival:
    """The source as post-training quantisation makes it of the same samples, all weights dense.

    Args:
        source: FLOAT.
        calibration: in any layout that fits the source; None: made-up samples, as the packed model had.

    Raises:
        ModelError, UnsupportedError: as `post_training`.
    """
    ekc = pack(to_integer(post_training(source, calibration, settings), {}))
    return Rival("int8", lambda samples: host_answers(ekc, samples, "int8 model"))
