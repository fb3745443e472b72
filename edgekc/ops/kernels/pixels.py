"""Template convolutions by responses on cores with vector instructions: 32 pixels at a time (ek_pixels.h)."""

from __future__ import annotations

from ...graph.op import View
from . import words

PIXELS = 32
RESPONSES_BYTES = 256 * 1024  # of scratch, if 32 pixels need no more
RESPONSES_MOST = 2**20  # which 32 pixels never need more than
# Instructions on aarch64 without SDOT for each of what `cost` counts.
INSTRUCTIONS = (24.0, 50.0, 29.0, 10.0, 14.0, 38.0)


def _templates(view: View) -> int:
    """The responses of four are made at once."""
    return -(-view.templates.shape[0] // 4) * 4


def _responses(view: View) -> int:
    """Bytes of the responses of 32 pixels: a word each."""
    return 4 * PIXELS * view.x.shape[3] * _templates(view)


def accepts(view: View, dense: View) -> bool:
    return _responses(view) <= RESPONSES_MOST and words.requantises(dense)


def block(view: View) -> int:
    """Pixels of a pass, a multiple of 32: as few passes as the room for responses allows, of one size."""
    _, out_h, out_w, _ = view.out.shape
    vectors = -(-out_h * out_w // PIXELS)
    passes = -(-vectors // max(RESPONSES_BYTES // _responses(view), 1))
    return -(-vectors // passes) * PIXELS


def scratch(view: View, dense: View) -> int:
    """A filter's sums, windows' sums, templates, transposed windows, responses, and what EK_WORDS wants."""
    taps = (int(view.templates.value[0].size) + 1) // 2 * 2
    held = 6 * PIXELS + 2 * taps * _templates(view) + 2 * taps * 8 * PIXELS
    return held + block(view) // PIXELS * _responses(view) + words.scratch(dense, 0, block(view))


def cost(view: View) -> float:
    """Estimated instructions: four templates' taps, what follows; kernels; kernels decoded; outputs; windows."""
    _, out_h, out_w, out_c = view.out.shape
    taps, kernels = int(view.templates.value[0].size), int(view.indices.value.size)
    vectors, passes = -(-out_h * out_w // PIXELS), -(-out_h * out_w // block(view))
    channels = vectors * view.x.shape[3]
    fours = channels * _templates(view) // 4
    work = (fours * taps, fours, vectors * kernels, passes * kernels, out_h * out_w * out_c, channels * taps)
    return sum(n * each for n, each in zip(work, INSTRUCTIONS, strict=True))
