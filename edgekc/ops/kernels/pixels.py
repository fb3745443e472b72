"""Template convolutions by responses on cores with vector instructions: 32 pixels at a time (ek_pixels.h)."""

from __future__ import annotations

from ...graph.op import View
from ...graph.scratch import Region, Regions
from . import words

PIXELS = 32
RESPONSES_BYTES = 256 * 1024  # of scratch, if 32 pixels need no more
RESPONSES_MOST = 2**20  # which 32 pixels never need more than


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
    passes = -(-vectors // max(view.held(RESPONSES_BYTES) // _responses(view), 1))
    return -(-vectors // passes) * PIXELS


def regions(view: View, dense: View) -> Regions:
    """What the kernel wants behind the plan of a filter, and EK_WORDS with nothing decoded: no row, no weights."""
    taps = (int(view.templates.value[0].size) + 1) // 2 * 2
    responses = block(view) // PIXELS * _responses(view)
    return (
        Region("filter_sums", 4 * PIXELS, "int32 (32): of one filter"),
        Region("window_sums", 2 * PIXELS, "int16 (32): of a channel, where `responses` does not hold them"),
        Region("templates", 2 * taps * _templates(view), "int16 (taps to an even number, templates)"),
        Region("values", 16 * taps * PIXELS, "int16 (taps to an even number, 8 channels, 32): transposed windows"),
        Region("responses", responses, "int16 (vectors of pixels, in_c, templates, ...): as ek_pixels.h has them"),
        words.of_rows(0)[0],
        *words.regions(dense, 0, block(view))[1:],
    )


def work(view: View) -> tuple[float, ...]:
    """How often the kernel does what `CYCLES` (`cycles.py`) says.

    Four templates' taps, what follows them, kernels, kernels that are decoded, outputs, values of windows, the call.
    """
    _, out_h, out_w, out_c = view.out.shape
    taps, kernels = int(view.templates.value[0].size), int(view.indices.value.size)
    vectors, passes = -(-out_h * out_w // PIXELS), -(-out_h * out_w // block(view))
    channels = vectors * view.x.shape[3]
    fours = channels * _templates(view) // 4
    return fours * taps, fours, vectors * kernels, passes * kernels, out_h * out_w * out_c, channels * taps, 1
