"""What a kind of app is: which model it starts from, which models fit it, and what its project has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..graph.ir import Graph
from ..packages.net import Net

Files = Mapping[str, bytes]  # path below the project's folder -> content


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model that fits the kind.

    Attributes:
        view: what the kind's templates see as `app`.
        files: the project's further files: input.bin, which the firmware reads when nothing else is said, and
            expected.txt, the result.txt of that input by the definition.
    """

    view: Mapping[str, Any]
    files: Files = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class App:
    """A kind of app. Its other files are the templates of codegen/apps/KIND and of codegen/apps/shared.

    Attributes:
        kind: the word of `edgekc new-app`, and the folder of the templates.
        what: from what to what, for the help.
        model: the one that the project has if the user names none. UsageError where it is not installed.
        fit: given the network, its packed graph and the model's file: the rest. UsageError where the kind cannot take
            the network.
        sources: files below runtime_c/ that go into the project's app/.
        input_rows: whether the network's input comes in rows, where its first layers run by rows.
    """

    kind: str
    what: str
    model: Callable[[], Path]
    fit: Callable[[Net, Graph, Path], Fitted]
    sources: tuple[str, ...] = ()
    input_rows: bool = False
