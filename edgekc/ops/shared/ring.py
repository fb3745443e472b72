"""The ring of padded input rows that kernels with a window read through: its scratch, and what may lie over it."""

from __future__ import annotations

from ...graph.op import View
from ...graph.scratch import Region, Regions


def regions(view: View, k_h: int, k_w: int, behind: int = 0) -> Regions:
    """What EK_RING wants of scratch; `behind`: bytes that are read or written behind the last row."""
    rows = (k_h - 1) * view["dilation_h"] + 1
    width = (view.out.shape[2] - 1) * view["stride_w"] + (k_w - 1) * view["dilation_w"] + 1
    return of(k_h, rows, width * view.x.shape[3], behind)


def of(k_h: int, rows: int, row_bytes: int, behind: int = 0) -> Regions:
    """The same by numbers; nothing of it where `rows` is 0."""
    return (
        Region("starts", 4 * k_h, "uint32 (k_h): where the rows of a window begin in `rows`"),
        Region("rows", rows * row_bytes + behind, "int8 (rows, row bytes): the ring of padded input rows", align=1),
    )


NONE = of(0, 0, 0)


def in_place(view: View, k_h: int) -> tuple[int, ...]:
    """(0,) where a ring kernel may write its output over its input, else ().

    Row y of the output is written when all input rows up to the window's last have been copied to the ring,
    so it must end before the first row that has not been.
    """
    _, in_h, in_w, in_c = view.x.shape
    _, out_h, out_w, out_c = view.out.shape
    span = (k_h - 1) * view["dilation_h"] + 1
    for y in range(out_h):
        copied = min(in_h, max(0, y * view["stride_h"] - view["pad_top"] + span))
        if copied < in_h and (y + 1) * out_w * out_c > copied * in_w * in_c:
            return ()
    return (0,)
