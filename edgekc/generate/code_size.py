"""Kernels of a network to do without: those that hardly any of its work needs, where a portable one is less code."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from ..graph.op import Kernel, View
from ..ops import OPS

# Bytes of code and constants of each file in runtime_c/kernels/ that a choice is about: arm-none-eabi-gcc 12.2, -Os,
# Cortex-M4. With -O2 the DSP kernels are larger still.
CODE_BYTES = {
    "ek_average_pool_s8": 264, "ek_average_pool_s8_dsp": 440, "ek_batch_matmul_s8": 782, "ek_batch_matmul_s8_dsp": 890,
    "ek_center_pairs_dsp": 658, "ek_clustered_conv2d_s8": 1046, "ek_clustered_conv2d_s8_dsp": 432,
    "ek_clustered_depthwise3x3_s8_dsp": 346, "ek_clustered_depthwise_s8": 1064, "ek_clustered_fully_connected_s8": 434,
    "ek_clustered_fully_connected_s8_dsp": 2282, "ek_clustered_winograd_s8_dsp": 646, "ek_columns_dsp": 1224,
    "ek_columns_put_dsp": 86, "ek_columns_windows_dsp": 314, "ek_conv1x1_s8": 724, "ek_conv1x1_s8_dsp": 404,
    "ek_conv2d_s8": 1060, "ek_conv2d_s8_dsp": 908, "ek_depthwise3x3_s8_dsp": 1610, "ek_depthwise_s8": 874,
    "ek_depthwise_wide_dsp": 1348, "ek_expand_columns_dsp": 888, "ek_expand_dot_dsp": 592,
    "ek_expand_outputs_dsp": 1208, "ek_fully_connected_s8": 310, "ek_fully_connected_s8_dsp": 1810,
    "ek_output_s8": 158, "ek_template_conv2d_s8": 1906, "ek_template_conv2d_s8_dsp": 4024,
    "ek_template_depthwise3x3_s8_dsp": 482, "ek_template_depthwise_s8": 1222, "ek_template_expanded_s8_dsp": 766,
    "ek_template_plan_dsp": 706, "ek_template_winograd_s8_dsp": 792, "ek_transpose_conv_s8": 1028,
    "ek_transpose_conv_s8_dsp": 1138, "ek_winograd_outputs_dsp": 910, "ek_winograd_tiles_dsp": 742,
}  # fmt: skip
# A portable kernel takes some ten instructions more for a multiply-accumulate than one for the DSP extension, of
# which a network has one for each: so this costs at most half a per cent.
_LITTLE = 1 / 2500
_WORTH_BYTES = 512


def files_of(kernel: Kernel) -> frozenset[str]:
    """The C files of a kernel, without their suffix."""
    return frozenset({kernel.symbol, *kernel.sources})


def linked_bytes(kernels: Mapping[str, Kernel]) -> int:
    """Of the code that these kernels take together; only what `CODE_BYTES` knows."""
    files = frozenset().union(*map(files_of, kernels.values()))
    return sum(CODE_BYTES.get(file, 0) for file in files)


def spared(layers: Sequence[tuple[View, Kernel]]) -> dict[str, Kernel]:
    """The kernels by the names of their layers, but portable ones where that saves much code and costs next to nothing.

    All layers of a kernel for the DSP extension are taken together. Other cores with extensions have flash enough, or
    hardly anything to save.
    """
    found = {view.node.name: kernel for view, kernel in layers}
    macs = {view.node.name: OPS[view.node.op].macs(view) for view, _ in layers}
    users: dict[str, list[View]] = defaultdict(list)
    for view, kernel in layers:
        if kernel.needs == {"dsp"} and files_of(kernel) <= CODE_BYTES.keys():
            users[kernel.symbol].append(view)
    for views in users.values():
        if 0 < sum(macs[view.node.name] for view in views) <= _LITTLE * sum(macs.values()):
            portable = {view.node.name: _portable(view, found[view.node.name]) for view in views}
            if linked_bytes({**found, **portable}) + _WORTH_BYTES <= linked_bytes(found):
                found |= portable
    return found


def _portable(view: View, kernel: Kernel) -> Kernel:
    """The layer's kernel for every core; the one that there is where that takes no such layer, or has no known size."""
    last = OPS[view.node.op].kernels[-1]
    return last if not last.needs and last.accepts(view) and files_of(last) <= CODE_BYTES.keys() else kernel
