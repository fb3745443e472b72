"""Random streaming networks: some inputs are variables, which each step reads and assigns."""

from __future__ import annotations

import numpy as np

from .layers import Builder
from .nets import LAYERS, RandomNet
from .streaming_file import Variable
from .values import tensor


def streaming_net(seed: int) -> RandomNet:
    """One input, one to four variables of its shape, layers of random networks.

    A variable keeps what a layer made, the input, another variable, or itself, as long as none takes what takes it.
    """
    rng = np.random.default_rng([seed, 13])
    b = Builder(rng, extreme=False)
    shape = (1, b.between(1, 5), b.between(1, 5), b.between(1, 9))
    x = tensor("input", shape, b.quant())
    reads = [tensor(f"state_{i}", shape, b.quant()) for i in range(b.between(1, 4))]
    b.live += [x, *reads]
    layers, weights = list(LAYERS), np.array(list(LAYERS.values()))
    for _ in range(60):
        if len(b.views) >= 9:
            break
        recent = b.live[-4:] if b.chance(0.5) else b.live
        layers[rng.choice(len(layers), p=weights / weights.sum())](b, recent[b.between(0, len(recent) - 1)])
    written = [v.out for v in b.views if v.out.dtype == "int8" and v.out.shape == shape]
    variables = []
    for i, read in enumerate(reads):
        source = [*written, *written, x, *reads[: i + 1]]
        kept = source[b.between(0, len(source) - 1)].name if b.chance(0.9) else ""
        first = rng.integers(-128, 128, shape) if b.chance(0.5) else np.full(shape, read.q.zero_point)
        variables.append(Variable(f"variable_{i}", read, kept, first.astype(np.int8)))
    roots = {x.name, *(r.name for r in reads)}
    outputs = [v.out for v in b.views if v.out.dtype == "int8" and b.roots[v.out.name] not in roots][-1:]
    return RandomNet(seed, tuple(b.views), (x,), tuple(outputs), "streaming", tuple(variables))
