"""What a kind of app is: which model it starts from, which models fit it, and what its project has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..graph.ir import Graph
from ..packages.net import Edge, Net

Files = Mapping[str, bytes]  # path below the project's folder -> content
_LONGEST_LABEL = 60  # characters


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
        input_rows: whether the network's input comes in rows, where its first layers run by rows.
    """

    kind: str
    what: str
    model: Callable[[], Path]
    fit: Callable[[Net, Graph, Path], Fitted]
    sources: tuple[str, ...] = ()
    input_rows: bool = False


@contextmanager
def reading(path: Path, fix: str, what: str = "damaged") -> Iterator[None]:
    """UsageError in place of whatever a file beside the model raises while its values are taken out of it.

    Args:
        what: the file is then.
    """
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise UsageError(f"{what} ({type(error).__name__}: {error})", where=str(path), fix=fix) from None


def c_string(label: str) -> str:
    """A label as the inside of a C string: printable ASCII, cut off."""
    return "".join(c if " " <= c <= "~" and c not in '"\\?' else "_" for c in label[:_LONGEST_LABEL])


def edges(ends: tuple[Edge, ...]) -> str:
    """Types and shapes of inputs or outputs, for errors."""
    return ", ".join(f"{end.c_type.removesuffix('_t')} {'x'.join(map(str, end.shape))}" for end in ends)
