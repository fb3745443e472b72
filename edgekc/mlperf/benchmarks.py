"""The four benchmarks of MLPerf Tiny: what the runner sends, what comes back, and what a submission must reach.

Source: github.com/mlcommons/tiny, benchmark/MLPerfTiny_Rules.adoc and benchmark/evaluation/datasets/README.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import UsageError

Sample = Literal["u8", "s8", "f32"]
_SAMPLES: Mapping[Sample, tuple[int, str]] = {
    "u8": (1, "bytes of an RGB image"), "s8": (1, "int8 levels"), "f32": (4, "float32, little-endian"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One of the four.

    Attributes:
        name: as in the folder of a submission.
        model: as firmware and runner call it.
        task: the folder of its code, named as the reference has it.
        sample: the type of a sample's numbers, as the runner sends them.
        shape: of a sample, without the batch.
        outputs: of the network.
        quality: what accuracy mode computes: top-1 in percent, or the area under the ROC curve.
        target: the least quality in the closed division.
        scale, zero_point: of the network's input, which the samples' preparation takes for granted; None: any.
    """

    name: str
    model: str
    task: str
    sample: Sample
    shape: tuple[int, ...]
    outputs: int
    quality: Literal["top-1", "AUC"]
    target: float
    scale: float | None
    zero_point: int | None

    @property
    def elements(self) -> int:
        """Numbers of a sample."""
        count = 1
        for n in self.shape:
            count *= n
        return count

    @property
    def sample_bytes(self) -> int:
        """Bytes of a sample, as the runner sends it."""
        return self.elements * _SAMPLES[self.sample][0]

    @property
    def sample_text(self) -> str:
        """What these bytes are, in words."""
        return _SAMPLES[self.sample][1]

    @property
    def results(self) -> int:
        """Numbers in the firmware's answer."""
        return 1 if self.quality == "AUC" else self.outputs


BENCHMARKS: Mapping[str, Benchmark] = {
    b.name: b
    for b in (
        Benchmark("ic", "ic01", "image_classification", "u8", (32, 32, 3), 10, "top-1", 85.0, 1.0, -128),
        Benchmark("kws", "kws01", "keyword_spotting", "s8", (49, 10, 1), 12, "top-1", 90.0, 0.5847029, 83),
        Benchmark("vww", "vww01", "person_detection", "u8", (96, 96, 3), 2, "top-1", 80.0, 1 / 255, -128),
        Benchmark("ad", "ad01", "anomaly_detection", "f32", (640,), 640, "AUC", 0.85, None, None),
    )
}


def benchmark_of(manifest: Mapping[str, Any], where: str) -> Benchmark:
    """The benchmark that a compiled network is for, by its input and output.

    Args:
        manifest: what manifest.json says.
        where: what an error calls the model.

    Raises:
        UsageError: its edges are those of none, or its input has other levels than the samples were prepared for.
    """
    inputs, outputs = manifest["inputs"], manifest["outputs"]
    edges = [(tuple(e["shape"][1:]), str(e["dtype"])) for e in (*inputs, *outputs)]
    for found in BENCHMARKS.values():
        if len(inputs) == len(outputs) == 1 and edges == [(found.shape, "int8"), ((found.outputs,), "int8")]:
            break
    else:
        said = "; ".join(f"{b.name}: int8 {list(b.shape)} to {b.outputs}" for b in BENCHMARKS.values())
        raise UsageError(
            "the network has the input and output of no benchmark of MLPerf Tiny", where=where, fix=f"they are {said}"
        )
    scale, zero_point = float(inputs[0]["scale"]), int(inputs[0]["zero_point"])
    if found.scale is not None and (abs(scale / found.scale - 1) > 1e-5 or zero_point != found.zero_point):
        raise UsageError(
            f"its input has scale {scale:g} and zero point {zero_point}; the samples of {found.name} are prepared for "
            f"{found.scale:g} and {found.zero_point}",
            where=where,
            fix="quantise the input so",
        )
    return found
