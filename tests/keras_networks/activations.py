"""One convolution before each activation."""

from __future__ import annotations

from typing import Any

from .registry import network


def _activated(k: Any, activation: Any) -> Any:
    x = i = k.Input((8, 8, 3))
    x = k.layers.Conv2D(6, 3)(x)
    x = activation(x)
    return k.Model(i, k.layers.Dense(3)(k.layers.Flatten()(x)))


@network
def leaky(k: Any) -> Any:
    return _activated(k, k.layers.LeakyReLU(0.2))


@network
def parametric(k: Any) -> Any:
    return _activated(k, k.layers.PReLU(alpha_initializer="uniform", shared_axes=[1, 2]))


@network
def exponential_linear(k: Any) -> Any:
    return _activated(k, k.layers.ELU())


@network
def scaled_exponential_linear(k: Any) -> Any:
    return _activated(k, k.layers.Activation("selu"))


@network
def gaussian_linear(k: Any) -> Any:
    return _activated(k, k.layers.Activation("gelu"))


@network
def soft_plus(k: Any) -> Any:
    return _activated(k, k.layers.Activation("softplus"))


@network
def soft_sign(k: Any) -> Any:
    return _activated(k, k.layers.Activation("softsign"))


@network
def exponential(k: Any) -> Any:
    return _activated(k, k.layers.Activation("exponential"))


@network
def hyperbolic(k: Any) -> Any:
    return _activated(k, k.layers.Activation("tanh"))


@network
def bounded(k: Any) -> Any:
    return _activated(k, k.layers.ReLU(max_value=6.0))


@network
def logarithm(k: Any) -> Any:
    x = i = k.Input((20,))
    x = k.layers.Dense(12, activation="relu")(x)
    return k.Model(i, k.layers.Dense(3)(k.ops.log(x + 0.5)))
