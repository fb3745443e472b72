"""What a step of a recipe is, and what the steps share: which layers one is applied to, and what it may say of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from pydantic import Field

from ...data import Dataset
from ...files.sections import Section
from ...graph.ir import Graph, Node, Tensor
from ...graph.op import view_of
from ...ops import layer_filters
from ..foresight import Foresight
from ..layers import resolve, resolve_names
from ..state import Job, State


@dataclass(frozen=True, slots=True)
class Package:
    """What a step needs beyond edgekc's own dependencies."""

    module: str
    name: str  # that people know
    fix: str  # how to install it


SKLEARN = Package("sklearn", "scikit-learn", "pip install 'edgekc[compress]'")
TORCH = Package("torch", "PyTorch", "pip install 'edgekc[torch]'")


class Step(Section):
    """One [[compress]] table: its fields are the keys, `method` among them, and `apply` is what it does."""

    package: ClassVar[Package | None] = None
    trains: ClassVar[bool] = False  # on all samples, and validation samples choose
    needs_trainer: ClassVar[bool] = False  # computes with `Job.trainer`
    sequences: ClassVar[bool] = False  # takes networks with a state, whose samples follow each other

    @abstractmethod
    def apply(self, job: Job, state: State) -> State:
        """The state behind the step. UsageError where it cannot be applied."""

    def samples_wanted(self) -> int:
        """How many samples it looks at, unless it trains; 0: none."""
        return 0

    def check(self, dataset: Dataset | None, graph: Graph, where: str) -> None:
        """UsageError where the samples or the network will not do, before the steps in front take their time.

        Args:
            where: the step's place in the recipe.
        """

    def foresee(self, ahead: Foresight) -> Foresight:
        """What may be behind the step. UsageError where it cannot be applied, whatever the steps in front find."""
        return ahead


class LayerStep(Step):
    """A step that is applied to the layers that any of the patterns matches."""

    layers: Annotated[tuple[str, ...], Field(min_length=1, strict=False)] = Field(
        default=("*",), description="names of layers, or patterns with * and ?"
    )

    def foresee(self, ahead: Foresight) -> Foresight:
        self.foreseen(ahead)
        return ahead

    def foreseen(self, ahead: Foresight) -> tuple[str, ...]:
        """The layers that it may be applied to."""
        return resolve_names(self.layers, ahead.names, f"{ahead.where}.layers")

    def free(self, job: Job, state: State, takes: Callable[[Node], bool]) -> list[Node]:
        """The layers that it names and takes, without those that an earlier step has packed."""
        graph = state.model.graph
        names = resolve(self.layers, graph, f"{job.where}.layers")
        nodes = {node.name: node for node in graph.nodes}
        return [nodes[n] for n in names if takes(nodes[n]) and not state.model.packed(n)]


class Packing(LayerStep):
    """A step that packs layers of every kind, depthwise ones where it is told to: they are few bytes, and sensitive."""

    depthwise: bool = Field(
        default=False, description="true: patterns match depthwise layers too; a name in full always does"
    )

    def foresee(self, ahead: Foresight) -> Foresight:
        return replace(ahead, packed=ahead.packed | set(self.foreseen(ahead)))

    def packable(self, job: Job, state: State, takes: Callable[[Node], bool]) -> list[Node]:
        """As `free`, without the depthwise layers that only a pattern matches, unless the step is for those too."""
        found = self.free(job, state, takes)
        few = [] if self.depthwise else [n.name for n in found if layer_filters(n).depthwise]
        skipped = [name for name in few if name not in self.layers]
        for name in skipped:
            job.log(
                f"{name}: left as it is by {job.where}, which takes depthwise layers by name or with depthwise = true"
            )
        return [n for n in found if n.name not in skipped]


def weights(state: State, node: Node) -> Tensor:
    """A layer's weights."""
    return view_of(state.model.graph, node).weights


def with_graph(state: State, graph: Graph) -> State:
    """The state with another graph, whose packed layers are the same."""
    return replace(state, model=replace(state.model, graph=graph))


def versus(size: int, dense: int) -> str:
    """Why a layer stays dense."""
    return f"{size} bytes, dense weights {dense}"
