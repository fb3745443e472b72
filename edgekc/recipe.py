"""A recipe (TOML) to validated settings: which layers are compressed how, and how the rest is quantised.

A key that does not exist, a value of the wrong type and a layer that the model does not have are errors that
name the nearest valid one; nothing is ignored and nothing is guessed.
"""

from __future__ import annotations

import difflib
import fnmatch
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from .errors import UsageError
from .files.toml_file import parse_toml, read_toml
from .graph.ir import Graph, Role

VERSION = 1  # of the recipe's keys; a recipe that states another one is refused

Fraction: TypeAlias = Annotated[float, Field(gt=0, le=1)]
Count: TypeAlias = Annotated[int, Field(ge=1)]
Seed: TypeAlias = Annotated[int, Field(ge=0, lt=2**32)]


class _Section(BaseModel):
    """Frozen, strict about types (no "4" for 4) and about keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Quantize(_Section):
    """[quantize]: post-training quantisation of activations and of all weights that stay dense."""

    method: Literal["min-max", "percentile", "mse"] = Field(
        default="mse", description="how ranges of activations are chosen"
    )
    percentile: Annotated[float, Field(gt=50, le=100)] = Field(
        default=99.99, description="per cent of values that keep their place; for method percentile"
    )
    samples: Count = Field(default=512, description="calibration samples; 512 images of 32x32 take seconds")
    seed: Seed = Field(
        default=0, description="picks the calibration samples, and makes the synthetic ones without data"
    )
    input_range: Annotated[tuple[float, float], Field(strict=False)] | None = Field(
        default=None, description="lowest and highest real input; without data, synthetic samples fill it"
    )
    input_quant: Annotated[tuple[float, int], Field(strict=False)] | None = Field(
        default=None, description="scale and zero point of int8 samples that do not state them; the model's input too"
    )
    equalise: Literal["off", "on", "auto"] = Field(
        default="auto", description="cross-layer equalisation; auto keeps it if it lowers the output error"
    )
    bias_correction: bool = Field(
        default=True, description="cancel each channel's mean error; costs no byte on the device"
    )

    @model_validator(mode="after")
    def _ascending(self) -> Quantize:
        if self.input_range is not None and self.input_range[0] >= self.input_range[1]:
            raise ValueError("the first number of input_range must be below the second")
        if self.input_quant is not None and not (self.input_quant[0] > 0 and -128 <= self.input_quant[1] <= 127):
            raise ValueError("input_quant is a positive scale and a zero point from -128 to 127")
        return self


class _Step(_Section):
    """What every [[compress]] step has: it is applied to the layers that any of the patterns matches."""

    layers: Annotated[tuple[str, ...], Field(min_length=1, strict=False)] = Field(
        default=("*",), description="names of layers, or patterns with * and ?"
    )


class _Packing(_Step):
    """A step that packs layers of every kind, depthwise ones where it is told to: they are few bytes, and sensitive."""

    depthwise: bool = Field(
        default=False, description="true: patterns match depthwise layers too; a name in full always does"
    )


class Cluster(_Packing):
    """k-means clustering of weights: 16-bit fixed-point centers, indices of a few bits."""

    method: Literal["cluster"]
    bits: Annotated[int, Field(ge=1, le=8)] = Field(default=4, description="of an index; 2**bits centers a layer")
    centers: Literal["optimal", "sklearn", "linear"] = Field(
        default="optimal", description="dynamic programming, k-means++, or Lloyd from equal steps"
    )
    row_scale: Literal["none", "rms", "max"] = Field(
        default="none", description="what the weights of an output channel are divided by first"
    )
    scale_rounds: Annotated[int, Field(ge=0)] = Field(
        default=0, description="times that row scales and centers are fitted to each other"
    )
    assignment: Literal["nearest", "second-order"] = Field(
        default="nearest", description="second-order compensates a weight's error in those not yet assigned"
    )
    restarts: Count = Field(default=4, description="of sklearn")
    seed: Seed = 0


class Codebook(_Packing):
    """Kernels as a * template + b: templates clustered by Pearson correlation, indices, pairs (a, b)."""

    method: Literal["codebook"]
    templates: Annotated[int, Field(ge=1, le=65536)] | None = Field(default=None, description="of each codebook")
    error: Fraction | None = Field(default=None, description="instead: fewest templates with this weighted residual")
    scope: Literal["layer", "network"] = Field(default="layer", description="what shares one codebook")
    weighting: Literal["energy", "equal"] = Field(
        default="energy", description="equal: every kernel counts alike, whatever its size"
    )
    offset: bool = Field(default=True, description="false: b = 0")
    train_templates: bool = Field(default=False, description="the paper keeps them frozen")
    restarts: Count = Field(default=4, description="starts of the search, of which the best is taken")
    seed: Seed = 0

    @model_validator(mode="after")
    def _one_target(self) -> Codebook:
        _exactly_one(self, "templates", "error")
        return self


class Svd(_Step):
    """Truncated singular value decomposition of a fully connected layer into a chain of smaller ones."""

    method: Literal["svd"]
    rank: Count | None = Field(default=None, description="kept singular values")
    energy: Fraction | None = Field(default=None, description="instead: smallest rank with this share of the energy")
    of: Literal["weights", "outputs"] = Field(
        default="weights", description="whose error is least; outputs: on samples, the bias takes its mean"
    )
    parts: Annotated[int, Field(ge=2, le=4)] = Field(default=2, description="layers that take the place of one")

    @model_validator(mode="after")
    def _one_target(self) -> Svd:
        _exactly_one(self, "rank", "energy")
        return self


class Dominant(_Step):
    """A convolution into `rank` dominant kernels for each input channel, combined by a 1x1 convolution."""

    method: Literal["dominant"]
    rank: Count = Field(default=1, description="dominant kernels of each input channel, at most kh * kw")
    fit: Literal["weights", "responses"] = Field(
        default="weights", description="what the 1x1 convolution approximates; responses: on samples, layer by layer"
    )
    samples: Count = Field(default=128, description="for responses")
    seed: Seed = Field(default=0, description="picks them")


class Gap(_Section):
    """Global average pooling in front of the first fully connected layer, whose rows are merged accordingly."""

    method: Literal["gap"]


class _Training(_Section):
    """How it is trained."""

    batch: Count = Field(default=128, description="samples of a step")
    learning_rate: Annotated[float, Field(gt=0)] = Field(default=1e-3, description="falls to 0 by a cosine")
    optimizer: Literal["adam", "sgd"] = Field(default="adam", description="sgd: with Nesterov momentum of 0.9")
    weight_decay: Annotated[float, Field(ge=0)] = Field(default=0.0, description="decoupled, for adam")
    distill: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.7, description="share of the teacher's scores in the loss; the rest is the labels'"
    )
    temperature: Annotated[float, Field(gt=0)] = Field(default=3.0, description="of distillation")
    teacher: str | None = Field(default=None, description="a model file; else the model as it came")
    flip: bool = Field(default=False, description="mirror half of the images left to right")
    shift: Annotated[int, Field(ge=0)] = Field(default=0, description="move images by up to so many pixels")
    mix: bool = Field(default=False, description="blend samples two by two; with distill = 1 only, labels do not blend")
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32", description="bfloat16 is several times faster where the processor has it"
    )

    @model_validator(mode="after")
    def _labels_do_not_blend(self) -> _Training:
        if self.mix and self.distill < 1:
            raise ValueError("mix needs distill = 1: labels do not blend")
        return self


class Prune(_Step, _Training):
    """Removes whole filters and rows, round by round, until the budget is met; needs PyTorch and labels."""

    method: Literal["prune"]
    keep: Fraction = Field(description="budget: share of `measure` that may remain")
    measure: Literal["macs", "weights"] = Field(default="macs", description="what the budget is counted in")
    criterion: Literal["l1", "l2", "apoz", "taylor"] = Field(default="l1", description="which filters go first")
    step: Fraction = Field(default=0.1, description="share of a layer's filters that one round removes")
    least: Count = Field(default=4, description="filters that a layer always keeps")
    multiple: Count = Field(default=1, description="numbers of filters stay divisible by it")
    tolerance: Annotated[float, Field(ge=0)] = Field(
        default=0.05, description="rise of the loss after which is fine-tuned"
    )
    samples: Count = Field(default=512, description="of the calibration set that decides the order")
    epochs: Count = Field(default=1, description="of each fine-tuning")
    seed: Seed = 0

    @property
    def fine_tuning(self) -> Retrain:
        """What happens where the loss has risen by `tolerance`, and at the end."""
        keys = {key: getattr(self, key) for key in ("epochs", "seed", *_Training.model_fields)}
        return Retrain(method="retrain", **keys)


class Pairs(_Step):
    """Clusters the pairs (a, b) of template layers: an index of a few bits a kernel in place of two float16."""

    method: Literal["pairs"]
    bits: Annotated[int, Field(ge=1, le=8)] = Field(default=7, description="of an index; 2**bits pairs a layer")
    assignment: Literal["nearest", "second-order"] = Field(
        default="nearest", description="second-order chooses template and pair together, for the outputs' sake"
    )
    seed: Seed = 0


class Retrain(_Training):
    """Trains what the steps before have left free, all layers together; needs PyTorch."""

    method: Literal["retrain"]
    epochs: Count = Field(description="passes over the training samples")
    latent_rate: Annotated[float, Field(gt=0)] = Field(
        default=1e-4, description="learning rate of latent weights, where indices are assigned anew"
    )
    reassign: Annotated[int, Field(ge=0)] = Field(
        default=0, description="times that indices are chosen anew, evenly over four fifths of the steps; 0: never"
    )
    arithmetic: Literal["float", "device"] = Field(
        default="float", description="device: forward passes compute with the integers that the device will have"
    )
    transfer: Literal["none", "hints", "kp"] = Field(
        default="none", description="what is learned from the teacher's activations: FitNets' hints, or pre-regression"
    )
    transfer_weight: Annotated[float, Field(gt=0)] = Field(
        default=1.0, description="of the transfer's term, which is added to the loss"
    )
    transfer_layers: (
        Annotated[tuple[str | Annotated[tuple[str, str], Field(strict=False)], ...], Field(min_length=1, strict=False)]
        | None
    ) = Field(
        default=None, description="layers, or pairs of the teacher's and its own; else the last of each spatial size"
    )
    transfer_epochs: Annotated[int, Field(ge=0)] = Field(
        default=0, description="so many of the epochs come first and learn the transfer alone; 0: all learn all at once"
    )
    seed: Seed = 0

    @model_validator(mode="after")
    def _transfers(self) -> Retrain:
        if self.transfer == "none" and (self.transfer_layers is not None or self.transfer_epochs):
            raise ValueError('transfer_layers and transfer_epochs need transfer = "hints" or "kp"')
        if self.transfer_epochs >= self.epochs:
            raise ValueError("transfer_epochs must be below epochs")
        return self


Step: TypeAlias = Cluster | Codebook | Pairs | Retrain | Svd | Dominant | Gap | Prune


class Recipe(_Section):
    """The whole file."""

    version: Literal[1] = Field(default=1, description="of the recipe's keys")
    compress: Annotated[
        tuple[Annotated[Step, Field(discriminator="method")], ...],
        Field(strict=False, description="steps, in the order in which they are applied"),
    ] = ()
    quantize: Quantize = Quantize()


def load(path: Path) -> Recipe:
    """Read and validate a recipe. UsageError names the file, the key and the nearest valid one."""
    return _checked(read_toml(path, UsageError), str(path))


def parse(text: str, where: str = "recipe") -> Recipe:
    """TOML text to a recipe; `where` names it in errors."""
    return _checked(parse_toml(text, where, UsageError), where)


def from_table(table: dict[str, Any], where: str = "recipe") -> Recipe:
    """A table with a recipe's keys, as TOML has them, to a recipe; `where` names it in errors."""
    return _checked(table, where)


def _checked(table: dict[str, Any], where: str) -> Recipe:
    try:
        return Recipe.model_validate(table)
    except ValidationError as error:
        raise _usage_error(error, table, where) from None


def dump(recipe: Recipe) -> str:
    """TOML text with every key written out; `parse` makes the same recipe of it."""
    lines = [f"version = {recipe.version}", "", "[quantize]", *_pairs(recipe.quantize)]
    for step in recipe.compress:
        lines += ["", "[[compress]]", *_pairs(step)]
    return "\n".join(lines) + "\n"


def layer_names(graph: Graph) -> tuple[str, ...]:
    """Names of the nodes that have weights, which is what a step can be applied to, in execution order."""
    return tuple(n.name for n in graph.nodes if any(t.role is Role.BIAS for t in graph.of(n.inputs)))


def resolve(patterns: Iterable[str], graph: Graph, where: str = "layers") -> tuple[str, ...]:
    """The layers that patterns name, each once, in execution order.

    Raises:
        UsageError: a pattern matches no layer; names the nearest one.
    """
    names = layer_names(graph)
    chosen: set[str] = set()
    for pattern in patterns:
        found = fnmatch.filter(names, pattern) if any(c in pattern for c in "*?[") else {pattern} & set(names)
        if not found:
            raise UsageError(f"no layer is called {pattern!r}", where=where, fix=nearest(pattern, names, "layers"))
        chosen.update(found)
    return tuple(name for name in names if name in chosen)


def matches(patterns: Iterable[str], name: str) -> bool:
    """Whether any of the patterns names a layer."""
    return any(pattern == name or fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _exactly_one(section: BaseModel, first: str, second: str) -> None:
    if (getattr(section, first) is None) == (getattr(section, second) is None):
        raise ValueError(f"needs either {first} or {second}")


def _pairs(section: BaseModel) -> list[str]:
    values = section.model_dump()
    # Strings, numbers, booleans and lists are written by JSON as TOML writes them.
    return [f"{key} = {json.dumps(value)}" for key, value in values.items() if value is not None]


def nearest(wrong: str, valid: Sequence[str], what: str) -> str:
    """What to say about a wrong name: the nearest valid one, or the first valid ones."""
    close = difflib.get_close_matches(wrong, valid, n=1, cutoff=0.5)
    listed = ", ".join(valid[:12]) + (", ..." if len(valid) > 12 else "")
    return f"did you mean {close[0]!r}?" if close else f"{what}: {listed or 'none'}"


def _usage_error(error: ValidationError, table: dict[str, Any], where: str) -> UsageError:
    """The first defect that pydantic found, as one line."""
    first = error.errors()[0]
    steps = {str(get_args(s.model_fields["method"].annotation)[0]): s for s in get_args(Step)}
    # Of a step pydantic names the method between index and key; the user's file has no such level.
    location = first["loc"]
    shown = [part for i, part in enumerate(location) if not (i == 2 and location[0] == "compress" and part in steps)]
    place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in shown).lstrip(".")
    at = f"{where}: {place}" if place else where
    kind, context = first["type"], first.get("ctx", {})
    value = first.get("input")
    if kind == "extra_forbidden":
        section: type[BaseModel] = Recipe
        if location[0] == "quantize" and len(location) > 1:
            section = Quantize
        elif location[0] == "compress" and len(location) > 3:
            section = steps[str(location[2])]
        return UsageError("unknown key", where=at, fix=nearest(str(location[-1]), list(section.model_fields), "keys"))
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        tag = str(value.get("method", "")) if isinstance(value, dict) else ""
        what = f"unknown method {tag!r}" if tag else "has no method"
        return UsageError(what, where=at, fix=nearest(tag, list(steps), "methods"))
    if kind == "literal_error":
        return UsageError(f"{value!r} is not {context['expected']}", where=at)
    if kind == "missing":
        return UsageError("is missing", where=at)
    if kind == "value_error":
        return UsageError(str(context["error"]), where=at)
    message = first["msg"].removeprefix("Input ").removesuffix(" or instance of Quantize")
    message = message[0].lower() + message[1:]
    words = (("tuple", "list"), ("dictionary or object to extract fields from", "table"), ("dictionary", "table"))
    for python, toml in words:
        message = message.replace(python, toml)
    return UsageError(f"{value!r}: {message}", where=at)
