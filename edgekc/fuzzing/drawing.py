"""Which networks a run of `edgekc fuzz` draws: each from the run's seed and its number alone."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from ..errors import UsageError
from ..names import nearest
from ..ops import OPS
from . import plans
from .floats import float_net
from .nets import LAYERS, RandomNet, random_net
from .recurrent import recurrent_net
from .streaming import streaming_net
from .subjects import NEAREST, integer_graph
from .unsigned import unsigned_net
from .wide import wide_net

KINDS: dict[str, Callable[[int], RandomNet]] = {
    "int8": random_net,
    "uint8": unsigned_net,
    "int16": wide_net,
    "streaming": streaming_net,
    "float": float_net,
    "recurrent": recurrent_net,
    plans.ROWS_KIND: plans.row_net,
}
_KIND_SHARES = (0.48, 0.09, 0.13, 0.1, 0.07, 0.05, 0.08)
_FORM_SHARES = {"dense": 0.38, "exact": 0.22, "wide": 0.22, NEAREST: 0.18}
_IN_FORMS = ("int8", plans.ROWS_KIND)  # the other kinds are dense
_APART = 1_000_003  # seeds of networks of two runs
_MOST_DRAWN = 3000  # networks, for one with an operator that was asked for


@dataclass(frozen=True, slots=True)
class Draw:
    """A network, and the form in which it is compiled."""

    number: int
    net: RandomNet
    form: str


def net_of(kind: str, seed: int) -> RandomNet:
    """The network that a finding is about."""
    return KINDS[kind](seed)


def draw(seed: int, number: int, ops: Collection[str] = ()) -> Draw:
    """A network of a run.

    Args:
        seed: of the run.
        number: of the network, from 0.
        ops: the network has one of these operators, as the file's nodes or as compiled ones.

    Raises:
        UsageError: no network of many has one of them.
    """
    for attempt in range(_MOST_DRAWN if ops else 1):
        own = seed * _APART + number
        rng = np.random.default_rng([own, attempt, 40])
        kind = str(rng.choice(list(KINDS), p=_KIND_SHARES))
        form = str(rng.choice(list(_FORM_SHARES), p=list(_FORM_SHARES.values()))) if kind in _IN_FORMS else "dense"
        net = KINDS[kind](own + attempt * 7_919_000_003)
        if not ops or _has(net, form, ops):
            return Draw(number, net, form)
    raise UsageError(f"none of {_MOST_DRAWN:,} random networks has {' or '.join(sorted(ops))}", where="--op")


def check_operators(ops: Collection[str]) -> None:
    """UsageError for a name that is no operator's."""
    known = {*OPS, *(layer.__name__ for layer in LAYERS)}
    for name in ops:
        if name not in known:
            raise UsageError(f"there is no operator {name!r}", where="--op", fix=nearest(name, sorted(known)))


def _has(net: RandomNet, form: str, ops: Collection[str]) -> bool:
    if any(view.node.op in ops for view in net.views):
        return True
    packed = [name for name in ops if name in OPS]
    try:
        return bool(packed) and any(node.op in packed for node in integer_graph(net, form).nodes)
    except Exception:  # refused, or found by the run itself
        return False
