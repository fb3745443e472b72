"""What a study asks of the engine below it: which candidates there are, and what each costs and loses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..exploration.candidate import Budget, Candidate, Figures
from ..progress import Log, Progress

if TYPE_CHECKING:
    from ..compression.state import OnProgress
    from ..judgement import Judgement


@dataclass(frozen=True, slots=True)
class Space:
    """What a sampler may choose.

    Attributes:
        layers: layer -> its choices.
        optimise: what kernels may be chosen for, see `Candidate`.
        ram: RAM that a plan may take, in bytes; None: what costs fewest cycles.
        keep: shares of the computation that pruning may leave, 1 first; all others take training.
    """

    layers: Mapping[str, tuple[str, ...]]
    optimise: tuple[str, ...] = ("speed",)
    ram: tuple[int | None, ...] = (None,)
    keep: tuple[float, ...] = (1.0,)


def checkpoint_folder(folder: Path, candidate: Candidate) -> Path:
    """Where the steps of a candidate keep what they did: all of one width share the pruned network."""
    return folder / (candidate.key if candidate.keep == 1.0 else f"keep-{candidate.keep:g}")


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes two searches comparable: figures of one are figures of the other.

    Attributes:
        edgekc: version.
        model: SHA-256 of the float graph.
        data: SHA-256 of the training and the validation samples.
        board: its name, and a hash of what it is.
        seed: of the split and of what is made up.
    """

    edgekc: str
    model: str
    data: str
    board: str
    seed: int


class Measure(Protocol):
    """Measures candidates; all that a worker needs."""

    @property
    def identity(self) -> Identity:
        """What figures are of."""
        ...

    def measure(
        self, candidate: Candidate, *, checkpoints: Path | None, on_progress: OnProgress, log: Log
    ) -> tuple[bytes, Figures]:
        """The bytes of the .ekc, and its figures. EdgekcError where the candidate cannot be built."""
        ...


class Engine(Measure, Protocol):
    """Proposes and measures candidates."""

    @property
    def name(self) -> str:
        """Of the network."""
        ...

    @property
    def board(self) -> str:
        """What the figures are of, by name."""
        ...

    @property
    def trainable(self) -> bool:
        """Whether candidates can be retrained here."""
        ...

    @property
    def labelled(self) -> bool:
        """Whether losses are points of accuracy, and not percent of output error."""
        ...

    def check(self) -> None:
        """UsageError where the test part could not be judged by: said before hours of work."""
        ...

    def prepare(self, folder: Path, progress: Progress) -> None:
        """Costs and sensitivities of every layer and choice; goes on from what a killed run left in the folder."""
        ...

    def space(self, budget: Budget) -> Space:
        """What a sampler may choose for this budget."""
        ...

    def candidates(self, budget: Budget, count: int) -> Sequence[Candidate]:
        """The solver's, the most promising first. UsageError where a budget is below the least possible."""
        ...

    def may_narrow_to(self, budget: Budget) -> bool:
        """Whether fewer channels may meet budgets that are below the least of the whole network."""
        ...

    def narrower(
        self, budget: Budget, count: int, keep: float, folder: Path, *, on_training: OnProgress, progress: Progress,
        log: Log,
    ) -> Sequence[Candidate]:  # fmt: skip
        """The solver's for a width, which is trained first. EdgekcError where the network has no such width.

        Args:
            keep: share of the computation, one of `space`.
            folder: of the search; what was trained is kept there.
        """
        ...

    def corrected(self, budget: Budget, candidate: Candidate, figures: Figures) -> Candidate | None:
        """What the solver says is best once its tables are right for a measured candidate; None: nothing else."""
        ...

    def learns(self, candidate: Candidate) -> bool:
        """Whether training changes more of it than of others: of each kind some are trained."""
        ...

    def proxy(self, candidate: Candidate) -> float | None:
        """The loss that the solver expects, in units of its own; None: not known."""
        ...

    def recipe(self, candidate: Candidate) -> str:
        """TOML text by which `edgekc compress` makes the candidate."""
        ...

    def judge(self, data: bytes, recipe: str, project: Path) -> Judgement | None:
        """The final model by the test part, which nothing has looked at; None where there is none."""
        ...


# Of the time that the tables leave, where there is training. Untrained candidates take seconds, and an epoch minutes.
SHARES = {"untrained": 0.3, "widths": 0.15, "short": 0.2, "long": 0.35}


@dataclass(frozen=True, slots=True)
class Settings:
    """How long a study goes on, and when two of them end the same.

    Attributes:
        budget: what a candidate may cost and lose.
        seconds: of all runs in the folder together; None: until all phases are through.
        trials: most candidates that are measured without training.
        epochs: of the long trainings; 0: nothing is trained.
        seed: of the sampler, of the split, and of what is made up.
    """

    budget: Budget
    seconds: float | None = None
    trials: int = 60
    epochs: int = 20
    seed: int = 0
    shares: Mapping[str, float] = field(default_factory=lambda: dict(SHARES))
