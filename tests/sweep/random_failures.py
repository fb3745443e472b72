"""A finding of the sweep made small, and written to a folder: the model, its inputs, and how to see it again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import random_build as rb
import random_sweep as sweep
from random_nets import RandomNet, random_net, random_samples

from edgekc.errors import EdgekcError
from edgekc.graph.ir import Tensor
from edgekc.graph.op import View

MOST = 3  # findings that are made small; the others are named


def explained(findings: Sequence[sweep.Finding], kernels: rb.Kernels, folder: Path) -> str:
    """What a test says of findings, after writing the first ones to folders of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{len(findings)} of the random networks are wrong:"]
    for finding in findings[:MOST]:
        net = shrunk(random_net(finding.seed), lambda net, form=finding.form: bool(again(net, form, kernels, folder)))
        place = written(net, finding, folder)
        lines += [str(finding), f"in {place}, a part of it that fails too:", described(net)]
    return "\n".join([*lines, *map(str, findings[MOST:])])


def again(net: RandomNet, form: str, kernels: rb.Kernels, folder: Path) -> str:
    """What is wrong with a network, on any family; empty where it is refused or right."""
    try:
        s = sweep.subject(net, form)
        jobs = rb.jobs_of(s.name, s.data, s.inputs)
        if form != "wide" and (text := sweep.differs_from_litert(s)):
            return text
    except (EdgekcError, RuntimeError):  # LiteRT refuses by RuntimeError
        return ""
    out = sweep.Outcome()
    sweep.run_jobs(jobs, {s.name: s}, kernels, folder / "again", out)
    return out.findings[0].text if out.findings else ""


def written(net: RandomNet, finding: sweep.Finding, folder: Path) -> Path:
    place = folder / f"seed_{finding.seed}_{finding.form}"
    place.mkdir(parents=True, exist_ok=True)
    (place / "whole.tflite").write_bytes(random_net(finding.seed).model())
    (place / "model.tflite").write_bytes(net.model())
    rows = random_samples(net, sweep.SAMPLES)
    np.savez(place / "inputs.npz", **{t.name: np.stack([row[i] for row in rows]) for i, t in enumerate(net.inputs)})
    (place / "finding.txt").write_text(f"{finding}\n\n{described(net)}\n")
    return place


def shrunk(net: RandomNet, fails: Callable[[RandomNet], bool]) -> RandomNet:
    """A part of the network that fails too: one output of it, with inputs in place of what others are made of."""
    for view in net.views:
        part = _ending_with(net, view)
        if part is not None and fails(part):
            net = part
            break
    for view in reversed(net.views[:-1]):
        part = _beginning_with(net, view)
        if part is not None and fails(part):
            net = part
    return net


def _stands_alone(t: Tensor) -> bool:
    return t.dtype == "int8" and t.shape[:1] == (1,)


def _ending_with(net: RandomNet, last: View) -> RandomNet | None:
    if not _stands_alone(last.out):
        return None
    return _pruned(net, net.views[: net.views.index(last) + 1], net.inputs, last.out)


def _beginning_with(net: RandomNet, view: View) -> RandomNet | None:
    """The network with the output of `view` given as an input."""
    if view not in net.views or not _stands_alone(view.out) or len(net.outputs) != 1:
        return None
    return _pruned(net, [v for v in net.views if v is not view], (*net.inputs, view.out), net.outputs[0])


def _pruned(net: RandomNet, views: Sequence[View], inputs: Sequence[Tensor], output: Tensor) -> RandomNet:
    """What `output` needs of these nodes and inputs."""
    needed, kept = {output.name}, []
    for view in reversed(views):
        if view.out.name in needed:
            kept.append(view)
            needed.update(view.node.inputs)
    return RandomNet(net.seed, tuple(reversed(kept)), tuple(t for t in inputs if t.name in needed), (output,))


def described(net: RandomNet) -> str:
    """A network, one node a line."""
    lines = []
    for view in net.views:
        operands = ", ".join(f"{t.name} {list(t.shape)}" for t in view.inputs)
        attrs = " ".join(f"{key}={value}" for key, value in view.node.attrs.items())
        scales = [f"{t.quant.scale:.7g}@{t.quant.zero_point}" for t in (*view.inputs, view.out) if t.quant is not None]
        out = f"{view.out.name} {list(view.out.shape)}"
        lines.append(f"  {out} = {view.node.op}({operands}) {attrs}; scale@zero: {' '.join(scales)}")
    return "\n".join(lines)
