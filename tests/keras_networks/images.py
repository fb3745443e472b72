"""Networks of images."""

from __future__ import annotations

from typing import Any

from .registry import network


@network
def lenet(k: Any) -> Any:
    x = i = k.Input((16, 16, 1))
    for filters in (6, 16):
        x = k.layers.Conv2D(filters, 3, activation="tanh")(x)
        x = k.layers.AveragePooling2D(2)(x)
    x = k.layers.Dense(20, activation="tanh")(k.layers.Flatten()(x))
    return k.Model(i, k.layers.Dense(10, activation="softmax")(x))


@network
def vgg_block(k: Any) -> Any:
    x = i = k.Input((16, 16, 3))
    for filters in (8, 12):
        x = k.layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = k.layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = k.layers.MaxPooling2D(2)(x)
    return k.Model(i, k.layers.Dense(5)(k.layers.GlobalAveragePooling2D(2)(x)))


@network
def resnet_block(k: Any) -> Any:
    x = i = k.Input((12, 12, 3))
    x = k.layers.Conv2D(8, 3, padding="same", use_bias=False)(x)
    x = k.layers.ReLU()(k.layers.BatchNormalization()(x))
    y = k.layers.Conv2D(8, 3, padding="same")(x)
    y = k.layers.BatchNormalization()(y)
    x = k.layers.ReLU()(k.layers.Add()([x, y]))
    y = k.layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(x)
    y = k.layers.Conv2D(16, 3, padding="same")(y)
    x = k.layers.Conv2D(16, 1, strides=2)(x)
    x = k.layers.ReLU()(k.layers.Add()([x, y]))
    return k.Model(i, k.layers.Dense(4, activation="softmax")(k.layers.GlobalAveragePooling2D(2)(x)))


@network
def preactivation(k: Any) -> Any:
    x = i = k.Input((10, 10, 4))
    for _ in range(2):
        y = k.layers.ReLU()(k.layers.BatchNormalization()(x))
        y = k.layers.Conv2D(4, 3, padding="same")(y)
        x = k.layers.Add()([x, y])
    return k.Model(i, k.layers.GlobalMaxPooling2D(2)(x))


@network
def mobilenet_v1(k: Any) -> Any:
    x = i = k.Input((16, 16, 3))
    x = k.layers.Conv2D(8, 3, strides=2, padding="same", activation=k.activations.relu6)(x)
    for filters, stride in ((12, 1), (16, 2)):
        x = k.layers.DepthwiseConv2D(3, strides=stride, padding="same", activation=k.activations.relu6)(x)
        x = k.layers.Conv2D(filters, 1, activation=k.activations.relu6)(x)
    return k.Model(i, k.layers.Dense(3, activation="softmax")(k.layers.GlobalAveragePooling2D(2)(x)))


@network
def mobilenet_v3(k: Any) -> Any:
    def hard_swish(x: Any) -> Any:
        return k.layers.Activation("hard_silu")(x)

    x = i = k.Input((16, 16, 3))
    x = hard_swish(k.layers.Conv2D(8, 3, strides=2, padding="same")(x))
    y = hard_swish(k.layers.Conv2D(24, 1)(x))
    y = hard_swish(k.layers.DepthwiseConv2D(5, padding="same")(y))
    s = k.layers.GlobalAveragePooling2D(keepdims=True)(y)
    s = k.layers.Conv2D(8, 1, activation="relu")(s)
    s = k.layers.Activation("hard_sigmoid")(k.layers.Conv2D(24, 1)(s))
    y = k.layers.Conv2D(8, 1)(k.layers.Multiply()([y, s]))
    x = k.layers.Add()([x, y])
    return k.Model(i, k.layers.Dense(5)(k.layers.GlobalAveragePooling2D(2)(x)))


@network
def efficientnet_block(k: Any) -> Any:
    x = i = k.Input((12, 12, 3))
    x = k.layers.Conv2D(8, 3, padding="same", activation="silu")(x)
    y = k.layers.Conv2D(16, 1, activation="silu")(x)
    y = k.layers.DepthwiseConv2D(3, padding="same", activation="silu")(y)
    s = k.layers.Reshape((1, 1, 16))(k.layers.GlobalAveragePooling2D(2)(y))
    s = k.layers.Conv2D(4, 1, activation="silu")(s)
    s = k.layers.Conv2D(16, 1, activation="sigmoid")(s)
    y = k.layers.Conv2D(8, 1)(k.layers.Multiply()([y, s]))
    return k.Model(i, k.layers.Dense(5)(k.layers.Flatten()(k.layers.Add()([x, y]))))


@network
def inception(k: Any) -> Any:
    x = i = k.Input((12, 12, 4))
    parts = [
        k.layers.Conv2D(4, 1, activation="relu")(x),
        k.layers.Conv2D(4, 3, padding="same", activation="relu")(x),
        k.layers.Conv2D(4, 5, padding="same", activation="relu")(x),
        k.layers.Conv2D(4, 1)(k.layers.MaxPooling2D(3, strides=1, padding="same")(x)),
        k.layers.AveragePooling2D(3, strides=1, padding="same")(x),
    ]
    return k.Model(i, k.layers.Dense(3)(k.layers.GlobalAveragePooling2D(2)(k.layers.Concatenate()(parts))))


@network
def densenet(k: Any) -> Any:
    x = i = k.Input((8, 8, 4))
    for _ in range(5):
        y = k.layers.Conv2D(3, 3, padding="same", activation="relu")(k.layers.BatchNormalization()(x))
        x = k.layers.Concatenate()([x, y])
    x = k.layers.AveragePooling2D(2)(k.layers.Conv2D(6, 1)(x))
    return k.Model(i, k.layers.Dense(3)(k.layers.Flatten()(x)))


@network
def squeezenet_fire(k: Any) -> Any:
    x = i = k.Input((10, 10, 3))
    s = k.layers.Conv2D(4, 1, activation="relu")(x)
    x = k.layers.Concatenate()(
        [k.layers.Conv2D(8, 1, activation="relu")(s), k.layers.Conv2D(8, 3, padding="same", activation="relu")(s)]
    )
    x = k.layers.GlobalAveragePooling2D(2)(k.layers.Conv2D(5, 1)(x))
    return k.Model(i, k.layers.Softmax()(x))


@network
def shufflenet(k: Any) -> Any:
    x = i = k.Input((8, 8, 8))
    a, b = k.ops.split(x, 2, axis=-1)
    b = k.layers.Conv2D(4, 1, activation="relu")(b)
    b = k.layers.DepthwiseConv2D(3, padding="same")(b)
    x = k.layers.Concatenate()([a, b])
    x = k.layers.Reshape((8, 8, 2, 4))(x)
    x = k.layers.Permute((1, 2, 4, 3))(x)
    x = k.layers.Reshape((8, 8, 8))(x)
    return k.Model(i, k.layers.Dense(3)(k.layers.GlobalAveragePooling2D(2)(x)))


@network
def grouped(k: Any) -> Any:
    x = i = k.Input((8, 8, 8))
    x = k.layers.Conv2D(8, 3, padding="same", groups=2, activation="relu")(x)
    return k.Model(i, k.layers.Conv2D(12, 3, strides=2, groups=4)(x))


@network
def dilated(k: Any) -> Any:
    x = i = k.Input((12, 12, 3))
    for rate in (1, 2, 3):
        x = k.layers.Conv2D(6, 3, dilation_rate=rate, padding="same", activation="relu")(x)
    return k.Model(i, k.layers.Conv2D(2, 1)(x))


@network
def depth_multiplier(k: Any) -> Any:
    x = i = k.Input((9, 9, 3))
    x = k.layers.DepthwiseConv2D(3, depth_multiplier=3, activation="relu")(x)
    x = k.layers.SeparableConv2D(7, 3, padding="same")(x)
    return k.Model(i, k.layers.Dense(2)(k.layers.Flatten()(x)))


@network
def unet(k: Any) -> Any:
    x = i = k.Input((16, 16, 3))
    a = k.layers.Conv2D(6, 3, padding="same", activation="relu")(x)
    b = k.layers.Conv2D(8, 3, padding="same", activation="relu")(k.layers.MaxPooling2D(2)(a))
    up = k.layers.Conv2DTranspose(6, 2, strides=2, padding="same", activation="relu")(b)
    x = k.layers.Conv2D(6, 3, padding="same", activation="relu")(k.layers.Concatenate()([a, up]))
    return k.Model(i, k.layers.Conv2D(2, 1, activation="sigmoid")(x))


@network
def transposed_valid(k: Any) -> Any:
    x = i = k.Input((5, 6, 4))
    x = k.layers.Conv2DTranspose(5, 3, strides=2)(x)
    return k.Model(i, k.layers.Conv2DTranspose(2, 4, strides=(1, 2), padding="same")(x))


@network
def upsampled_nearest(k: Any) -> Any:
    x = i = k.Input((6, 6, 4))
    x = k.layers.UpSampling2D(2)(k.layers.Conv2D(4, 3, padding="same", activation="relu")(x))
    return k.Model(i, k.layers.Conv2D(3, 3, padding="same")(x))


@network
def upsampled_bilinear(k: Any) -> Any:
    x = i = k.Input((6, 7, 4))
    x = k.layers.UpSampling2D((2, 3), interpolation="bilinear")(x)
    return k.Model(i, k.layers.Conv2D(3, 3)(x))


@network
def resized(k: Any) -> Any:
    x = i = k.Input((8, 8, 3))
    x = k.layers.Resizing(5, 11)(k.layers.Conv2D(3, 1)(x))
    return k.Model(i, k.layers.Conv2D(2, 1)(x))


@network
def pixel_shuffle(k: Any) -> Any:
    from tensorflow import nn

    class DepthToSpace(k.layers.Layer):  # type: ignore[name-defined, misc]
        def call(self, x: Any) -> Any:
            return nn.depth_to_space(x, 2)

    x = i = k.Input((6, 6, 2))
    x = DepthToSpace()(k.layers.Conv2D(12, 3, padding="same")(x))
    return k.Model(i, x)


@network
def space_to_depth(k: Any) -> Any:
    from tensorflow import nn

    class SpaceToDepth(k.layers.Layer):  # type: ignore[name-defined, misc]
        def call(self, x: Any) -> Any:
            return nn.space_to_depth(x, 2)

    x = i = k.Input((8, 8, 3))
    return k.Model(i, k.layers.Conv2D(5, 1, activation="relu")(SpaceToDepth()(x)))


@network
def padded_and_cropped(k: Any) -> Any:
    x = i = k.Input((9, 9, 3))
    x = k.layers.ZeroPadding2D(((1, 2), (0, 3)))(x)
    x = k.layers.Conv2D(5, 3, strides=2)(x)
    x = k.layers.Cropping2D(((1, 0), (0, 1)))(x)
    return k.Model(i, k.layers.Conv2D(2, 1)(x))


@network
def reflected(k: Any) -> Any:
    x = i = k.Input((7, 8, 3))
    x = k.ops.pad(x, ((0, 0), (1, 1), (2, 2), (0, 0)), mode="reflect")
    return k.Model(i, k.layers.Conv2D(4, 3)(x))


@network
def coordinates(k: Any) -> Any:
    """Slices of an image, and a mean over one axis of it."""
    x = i = k.Input((8, 10, 4))
    x = k.layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    a = x[:, 2:6, ::2, :]
    b = k.ops.mean(x, axis=1)
    return k.Model(i, [k.layers.Conv2D(2, 1)(a), k.layers.Dense(3)(b)])


@network
def flipped(k: Any) -> Any:
    x = i = k.Input((6, 6, 2))
    x = k.layers.Concatenate()([x, k.ops.flip(x, axis=2)])
    return k.Model(i, k.layers.Conv2D(3, 3)(x))


@network
def global_pools(k: Any) -> Any:
    x = i = k.Input((7, 5, 6))
    x = k.layers.Conv2D(8, 3, activation="relu")(x)
    x = k.layers.Concatenate()([k.layers.GlobalMaxPooling2D(2)(x), k.layers.GlobalAveragePooling2D(2)(x)])
    return k.Model(i, k.layers.Dense(4, activation="softmax")(x))
