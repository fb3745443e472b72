"""A .keras or .h5 file, before Keras reads it: only layers that hold no code, only data that lies in the file.

Keras refuses lambdas in .keras files, runs them in .h5 files (where it ignores `safe_mode`), and in some versions
imports whatever module a configuration names. Here the configuration is read first: every class that it names must be
one of those below.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import EdgekcError, ModelError, UnsupportedError
from ...files import limits
from ...files.archive import open_archive, read
from .hdf5 import check_h5

_MEMBERS = ("config.json", "metadata.json", "model.weights.h5")
_LAYERS = frozenset(
    (
        "Activation ActivityRegularization Add Attention Average AveragePooling1D AveragePooling2D BatchNormalization "
        "Bidirectional Concatenate Conv1D Conv1DTranspose Conv2D Conv2DTranspose Convolution2D Cropping1D Cropping2D "
        "Dense DepthwiseConv1D DepthwiseConv2D Dot Dropout ELU EinsumDense Embedding Flatten Functional GRU "
        "GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D GlobalMaxPooling1D "
        "GlobalMaxPooling2D GroupNormalization InputLayer LSTM LayerNormalization LeakyReLU MaxPooling1D MaxPooling2D "
        "Maximum Minimum Model MultiHeadAttention Multiply PReLU Permute RMSNormalization ReLU RepeatVector Rescaling "
        "Reshape SeparableConv1D SeparableConv2D Sequential SimpleRNN Softmax SpatialDropout1D SpatialDropout2D "
        "Subtract TimeDistributed UnitNormalization UpSampling1D UpSampling2D ZeroPadding1D ZeroPadding2D"
    ).split()
)
# Functions of keras.ops that compare and choose; in a model each is a layer, which holds numbers alone.
_FUNCTIONS = frozenset(
    (
        "Ceil Equal Floor Greater GreaterEqual Less LessEqual LogicalAnd LogicalNot LogicalOr NotEqual Round TopK Where"
    ).split()
)
_PARTS = frozenset(
    (
        "Constant DTypePolicy FloatDTypePolicy Policy GlorotNormal GlorotUniform HeNormal HeUniform Identity L1 L1L2 "
        "L2 LecunNormal LecunUniform MaxNorm MinMaxNorm NonNeg Ones Orthogonal RandomNormal RandomUniform "
        "TruncatedNormal UnitNorm VarianceScaling Zeros __keras_tensor__ __numpy__ __tensor__"
    ).split()
)
_MODULE = re.compile(r"(tf_)?keras(\.[a-z_0-9]+)*")
_CODE = re.compile(r"__lambda__|__typespec__|^function$|Lambda|TensorFlowOpLayer|TFOpLambda|SlicingOpLambda")


def check_keras(path: Path) -> None:
    """Refuse a file that could run code, read another file, or unpack to more memory than is allowed.

    Raises:
        UnsupportedError: a layer that is not in the list, such as Lambda.
        ModelError: the file is damaged, or too large.
    """
    where = str(path)
    try:
        if path.suffix.lower() == ".h5":
            if path.stat().st_size > limits.unpacked_bytes():
                raise ModelError(limits.too_large("has", path.stat().st_size), where=where, fix=limits.RAISE_LIMIT)
            config = check_h5(path.read_bytes(), where)
            if config is None:
                raise ModelError("holds weights, but no model", where=where, fix="save it with model.save")
            _check_config(config, where)
            return
        with open_archive(path, where, ModelError, "a .keras archive") as archive:
            for name in archive.members:
                if name not in _MEMBERS:
                    raise UnsupportedError(f"holds {name[:80]!r}; supported: {', '.join(_MEMBERS)}", where=where)
            for name in _MEMBERS:
                if name not in archive.members:
                    raise ModelError(f"{name} is missing", where=where, fix="save the model again")
            total = sum(info.file_size for info in archive.members.values())
            if total > limits.unpacked_bytes():
                raise ModelError(limits.too_large("unpacks to", total), where=where, fix=limits.RAISE_LIMIT)
            for name in _MEMBERS[:2]:
                _check_config(read(archive, name, limits.MAX_JSON_BYTES), f"{where}: {name}")
            check_h5(read(archive, _MEMBERS[2]), where)
    except EdgekcError:
        raise
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror}", where=where) from error


def _check_config(raw: bytes | str, where: str) -> None:
    try:
        config = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"is no JSON ({type(error).__name__})", where=where) from error
    if isinstance(config, dict):
        config.pop("compile_config", None)  # optimiser and losses, which Keras is told to leave out
    for part in _parts(config):
        name, module, registered = (part.get(key) for key in ("class_name", "module", "registered_name"))
        if name is not None and (not isinstance(name, str) or name not in _LAYERS | _FUNCTIONS | _PARTS):
            code = "holds code, which is not run" if _CODE.search(str(name)) else "is not supported"
            raise UnsupportedError(
                f"{str(name)[:60]!r} {code}; supported: {', '.join(sorted(_LAYERS | _FUNCTIONS))}",
                where=where,
                fix="write the model with layers of Keras's own",
            )
        if module is not None and (not isinstance(module, str) or not _MODULE.fullmatch(module)):
            raise UnsupportedError(f"a class of module {str(module)[:60]!r}; supported: Keras's own", where=where)
        if registered is not None and registered != name:
            raise UnsupportedError(f"the custom class {str(registered)[:60]!r}; supported: Keras's own", where=where)


def _parts(value: Any) -> Iterator[dict[str, Any]]:
    """All objects of a configuration, at any depth."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from _parts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _parts(item)
