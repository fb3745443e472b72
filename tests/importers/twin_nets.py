"""Networks written twice, for PyTorch and for Keras, with the same weights in both."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch_nets import Apply, lively

ACTIVATIONS = {"relu": nn.ReLU, "relu6": nn.ReLU6, "hard_silu": nn.Hardswish, "silu": nn.SiLU, "tanh": nn.Tanh,
               "sigmoid": nn.Sigmoid, "hard_sigmoid": nn.Hardsigmoid, "elu": nn.ELU}  # fmt: skip


@dataclass(frozen=True)
class Twin:
    """A network in PyTorch's words and in Keras's.

    Attributes:
        module: makes the torch module; its layers of a kind stand in the order in which Keras's are made.
        model: makes the Keras model, from the module `keras`.
        shape: of a sample, channels first, as torch has it.
    """

    module: Callable[[], nn.Module]
    model: Callable[[Any], Any]
    shape: tuple[int, ...]


def copy_weights(module: nn.Module, model: Any) -> None:
    """Give the Keras model the weights of the torch module: the first convolution those of the first, and so on."""
    theirs: dict[str, list[Any]] = defaultdict(list)
    for layer in sorted(model.layers, key=lambda layer: int((re.findall(r"_(\d+)$", layer.name) or [0])[0])):
        theirs[type(layer).__name__].append(layer)  # Keras numbers the layers of a class as they are made
    for layer in module.modules():
        arrays = [p.detach().numpy() for p in layer.parameters(recurse=False)]
        if not arrays:
            continue
        w, *rest = arrays
        if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            assert layer.running_mean is not None and layer.running_var is not None
            kind, rest = "BatchNormalization", [*rest, layer.running_mean.numpy(), layer.running_var.numpy()]
        elif isinstance(layer, nn.Linear):
            kind, w = "Dense", w.T
        elif isinstance(layer, nn.ConvTranspose2d):
            kind, w = "Conv2DTranspose", w.transpose(2, 3, 1, 0)
        elif isinstance(layer, nn.Conv2d) and layer.groups > 1:
            kind, w = "DepthwiseConv2D", w.transpose(2, 3, 0, 1)
        elif isinstance(layer, nn.Conv2d):
            kind, w = "Conv2D", w.transpose(2, 3, 1, 0)
        else:
            assert isinstance(layer, nn.Conv1d)
            kind, w = "Conv1D", w.transpose(2, 1, 0)
        theirs[kind].pop(0).set_weights([w, *rest])
    assert not [layer for layers in theirs.values() for layer in layers if layer.get_weights()]


def twins(twin: Twin, keras: Any, seed: int = 3) -> tuple[nn.Module, Any]:
    """The network in both, with one set of weights."""
    torch.manual_seed(seed)
    module, model = lively(twin.module()), twin.model(keras)
    copy_weights(module, model)
    return module, model


def block(i: int, o: int, k: int = 3, s: int = 1, groups: int = 1, act: str | None = "relu") -> nn.Sequential:
    """Convolution, norm, activation; where it strides, of an image of odd size: there all pad alike."""
    layers = [nn.Conv2d(i, o, k, s, k // 2, groups=groups, bias=False), nn.BatchNorm2d(o)]
    return nn.Sequential(*layers, *([ACTIVATIONS[act]()] if act else []))


def k_block(
    k: Any, x: Any, o: int, size: int = 3, s: int = 1, depthwise: bool = False, act: str | None = "relu"
) -> Any:
    if depthwise:
        x = k.layers.DepthwiseConv2D(size, s, "same", use_bias=False)(x)
    else:
        x = k.layers.Conv2D(o, size, s, "same", use_bias=False)(x)
    x = k.layers.BatchNormalization(epsilon=1e-5)(x)
    return k_act(k, act, x) if act else x


def k_act(k: Any, act: str, x: Any) -> Any:
    return k.layers.ReLU(6.0)(x) if act == "relu6" else k.layers.Activation(act)(x)


def inverted(act: str, inner: str, gate: str | None) -> tuple[Callable[[], nn.Module], Callable[[Any], Any]]:
    """An inverted residual with or without squeeze and excite, between a stem and a head."""

    def forward(m: Any, x: Any) -> Any:
        x = m["stem"](x)
        y = m["wide"](x)
        if gate is not None:
            s = ACTIVATIONS[inner]()(m["down"](F.adaptive_avg_pool2d(y, 1)))
            y = y * ACTIVATIONS[gate]()(m["up"](s))
        return m["head"]((x + m["back"](y)).mean((2, 3)))

    def module() -> nn.Module:
        squeeze = {} if gate is None else {"down": nn.Conv2d(24, 6, 1), "up": nn.Conv2d(6, 24, 1)}
        return Apply(
            forward, stem=block(3, 8, 3, 2, act=act),
            wide=nn.Sequential(block(8, 24, 1, act=act), block(24, 24, 3, groups=24, act=act)),
            **squeeze, back=block(24, 8, 1, act=None), head=nn.Linear(8, 5),
        )  # fmt: skip

    def model(k: Any) -> Any:
        i = k.Input((17, 17, 3))
        x = k_block(k, i, 8, 3, 2, act=act)
        y = k_block(k, k_block(k, x, 24, 1, act=act), 24, depthwise=True, act=act)
        if gate is not None:
            s = k.layers.GlobalAveragePooling2D(keepdims=True)(y)
            s = k_act(k, inner, k.layers.Conv2D(6, 1)(s))
            y = k.layers.Multiply()([y, k_act(k, gate, k.layers.Conv2D(24, 1)(s))])
        x = k.layers.Add()([x, k_block(k, y, 8, 1, act=None)])
        return k.Model(i, k.layers.Dense(5)(k.layers.GlobalAveragePooling2D()(x)))

    return module, model


def _residual(k: Any) -> Any:
    i = k.Input((17, 17, 3))
    x = k_block(k, i, 8)
    y = k_block(k, x, 16, 3, 2)
    y = k_block(k, y, 16, act=None)
    down = k_block(k, x, 16, 1, 2, act=None)
    return k.Model(i, k.layers.Dense(5)(k.layers.GlobalAveragePooling2D()(k.layers.ReLU()(k.layers.Add()([y, down])))))


def _fire(k: Any) -> Any:
    i = k.Input((17, 17, 3))
    x = k.layers.Conv2D(8, 3, 2, activation="relu")(i)
    x = k.layers.MaxPooling2D(2)(x)
    x = k.layers.Conv2D(4, 1, activation="relu")(x)
    one = k.layers.Conv2D(6, 1, activation="relu")(x)
    three = k.layers.Conv2D(6, 3, padding="same", activation="relu")(x)
    x = k.layers.Conv2D(5, 1, activation="relu")(k.layers.Concatenate()([one, three]))
    return k.Model(i, k.layers.GlobalAveragePooling2D()(x))


def _fire_torch() -> nn.Module:
    def forward(m: Any, x: Any) -> Any:
        x = F.relu(m["squeeze"](F.max_pool2d(F.relu(m["stem"](x)), 2)))
        x = torch.cat([F.relu(m["one"](x)), F.relu(m["three"](x))], 1)
        return F.relu(m["head"](x)).mean((2, 3))

    return Apply(
        forward, stem=nn.Conv2d(3, 8, 3, 2), squeeze=nn.Conv2d(8, 4, 1), one=nn.Conv2d(4, 6, 1),
        three=nn.Conv2d(4, 6, 3, padding=1), head=nn.Conv2d(12, 5, 1),
    )  # fmt: skip


def _dense(k: Any) -> Any:
    i = k.Input((16, 16, 3))
    features = [k.layers.Conv2D(6, 3, padding="same")(i)]
    for _ in range(2):
        x = k.layers.Concatenate()(features) if len(features) > 1 else features[0]
        x = k.layers.ReLU()(k.layers.BatchNormalization(epsilon=1e-5)(x))
        features.append(k.layers.Conv2D(3, 3, padding="same", use_bias=False)(x))
    x = k.layers.AveragePooling2D(2)(k.layers.Concatenate()(features))
    return k.Model(i, k.layers.Dense(5)(k.layers.GlobalAveragePooling2D()(x)))


def _dense_torch() -> nn.Module:
    def forward(m: Any, x: Any) -> Any:
        features = [m["stem"](x)]
        for norm, conv in (("norm0", "conv0"), ("norm1", "conv1")):
            features.append(m[conv](F.relu(m[norm](torch.cat(features, 1) if len(features) > 1 else features[0]))))
        return m["head"](F.avg_pool2d(torch.cat(features, 1), 2).mean((2, 3)))

    return Apply(
        forward, stem=nn.Conv2d(3, 6, 3, padding=1), norm0=nn.BatchNorm2d(6),
        conv0=nn.Conv2d(6, 3, 3, padding=1, bias=False), norm1=nn.BatchNorm2d(9),
        conv1=nn.Conv2d(9, 3, 3, padding=1, bias=False), head=nn.Linear(12, 5),
    )  # fmt: skip


def unet(upsample: bool) -> tuple[Callable[[], nn.Module], Callable[[Any], Any]]:
    """Down, up by a transposed convolution or by interpolation, and joined."""

    def forward(m: Any, x: Any) -> Any:
        a = m["a"](x)
        y = m["b"](F.max_pool2d(a, 2))
        y = m["up"](F.interpolate(y, scale_factor=2, mode="bilinear") if upsample else y)
        return m["out"](m["c"](torch.cat([a, y], 1)))

    def module() -> nn.Module:
        up = nn.Conv2d(8, 4, 1) if upsample else nn.ConvTranspose2d(8, 4, 2, 2)
        layers = {"a": block(3, 4), "b": block(4, 8), "up": up, "c": block(8, 4), "out": nn.Conv2d(4, 2, 1)}
        return Apply(forward, **layers)

    def model(k: Any) -> Any:
        i = k.Input((16, 16, 3))
        a = k_block(k, i, 4)
        y = k_block(k, k.layers.MaxPooling2D(2)(a), 8)
        if upsample:
            y = k.layers.Conv2D(4, 1)(k.layers.UpSampling2D(2, interpolation="bilinear")(y))
        else:
            y = k.layers.Conv2DTranspose(4, 2, 2)(y)
        x = k_block(k, k.layers.Concatenate()([a, y]), 4)
        return k.Model(i, k.layers.Conv2D(2, 1)(x))

    return module, model


def _activations(k: Any) -> Any:
    x = i = k.Input((12, 12, 3))
    for act in ("tanh", "elu", "sigmoid", "relu"):
        x = k_block(k, x, 6, act=act)
    return k.Model(i, k.layers.Softmax()(k.layers.Dense(5)(k.layers.GlobalAveragePooling2D()(x))))


def _rows(k: Any) -> Any:
    i = k.Input((60, 2))
    x = k.layers.Conv1D(4, 5, 2)(i)
    x = k.layers.MaxPooling1D(2)(k.layers.ReLU()(k.layers.BatchNormalization(epsilon=1e-5)(x)))
    x = k.layers.ReLU()(k.layers.Conv1D(8, 3)(x))
    return k.Model(i, k.layers.Dense(3)(k.layers.GlobalAveragePooling1D()(x)))


def _rows_torch() -> nn.Module:
    def forward(m: Any, x: Any) -> Any:
        x = F.max_pool1d(F.relu(m["norm"](m["a"](x))), 2)
        return m["head"](F.relu(m["b"](x)).mean(2))

    layers = {"a": nn.Conv1d(2, 4, 5, 2), "norm": nn.BatchNorm1d(4), "b": nn.Conv1d(4, 8, 3), "head": nn.Linear(8, 3)}
    return Apply(forward, **layers)


def _residual_torch() -> nn.Module:
    def forward(m: Any, x: Any) -> Any:
        x = m["stem"](x)
        return m["head"](F.relu(m["b"](m["a"](x)) + m["down"](x)).mean((2, 3)))

    return Apply(
        forward, stem=block(3, 8), a=block(8, 16, 3, 2), b=block(16, 16, act=None), down=block(8, 16, 1, 2, act=None),
        head=nn.Linear(16, 5),
    )  # fmt: skip


def _separable(k: Any) -> Any:
    x = i = k.Input((17, 17, 3))
    for o, s in ((8, 2), (12, 1), (16, 2)):
        x = k_block(k, k_block(k, x, 0, 3, s, True, "relu6"), o, 1, act="relu6")
    return k.Model(i, k.layers.Dense(5)(k.layers.GlobalAveragePooling2D()(x)))


def _separable_torch() -> nn.Module:
    pairs = [(3, 8, 2), (8, 12, 1), (12, 16, 2)]
    blocks = [b for i, o, s in pairs for b in (block(i, i, 3, s, i, "relu6"), block(i, o, 1, act="relu6"))]
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 5))


def _vectors(k: Any) -> Any:
    x = i = k.Input((20,))
    for o in (16, 8):
        x = k.layers.Dense(o, activation="relu")(x)
    return k.Model(i, k.layers.Softmax()(k.layers.Dense(4)(x)))


IMAGE, ODD = (3, 16, 16), (3, 17, 17)
TWINS = {
    "resnet": Twin(_residual_torch, _residual, ODD),
    "mobilenet_v1": Twin(_separable_torch, _separable, ODD),
    "mobilenet_v2": Twin(*inverted("relu6", "relu", None), ODD),
    "mobilenet_v3": Twin(*inverted("hard_silu", "relu", "hard_sigmoid"), ODD),
    "efficientnet": Twin(*inverted("silu", "silu", "sigmoid"), ODD),
    "squeezenet": Twin(_fire_torch, _fire, ODD),
    "densenet": Twin(_dense_torch, _dense, IMAGE),
    "unet": Twin(*unet(False), IMAGE),
    "unet_upsample": Twin(*unet(True), IMAGE),
    "activations": Twin(
        lambda: nn.Sequential(
            block(3, 6, act="tanh"), block(6, 6, act="elu"), block(6, 6, act="sigmoid"), block(6, 6, act="relu"),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5), nn.Softmax(1),
        ),
        _activations, (3, 12, 12),
    ),
    "conv1d": Twin(_rows_torch, _rows, (2, 60)),
    "vectors": Twin(
        lambda: nn.Sequential(
            nn.Linear(20, 16), nn.ReLU(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4), nn.Softmax(1)
        ),
        _vectors, (20,),
    ),
}  # fmt: skip
