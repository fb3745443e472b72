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
        templates: the folders of codegen/apps/ whose templates it takes. Empty: that of the kind.
        sources: files below runtime_c/ in place of the kind's.
    """

    view: Mapping[str, Any]
    files: Files = field(default_factory=dict)
    templates: tuple[str, ...] = ()
    sources: tuple[str, ...] | None = None


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
    """

    kind: str
    what: str
    model: Callable[[], Path]
    fit: Callable[[Net, Graph, Path], Fitted]
    sources: tuple[str, ...] = ()
