"""The arena planner: nothing that lives at the same time overlaps, and the bound is a bound."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgekc.generate.arena import ALIGNMENT, Block, Span, allocate, lower_bound

spans = st.builds(
    lambda size, first, length: Span(size, first, first + length),
    st.integers(1, 5000), st.integers(0, 12), st.integers(0, 6),
)  # fmt: skip


@st.composite
def blocks(draw: st.DrawFn) -> Block:
    """A tensor, and what is written over it in place: each next span begins where the last one ends."""
    out = [draw(spans)]
    while draw(st.booleans()) and len(out) < 4:
        nxt = draw(spans)
        out.append(Span(nxt.size, out[-1].last, out[-1].last + nxt.last - nxt.first))
    return tuple(out)


@given(st.lists(blocks(), max_size=10))
def test_no_overlap(items: list[Block]) -> None:
    plan = allocate(items)
    placed = [(offset, s) for offset, block in zip(plan.offsets, items, strict=True) for s in block]
    owner = [i for i, block in enumerate(items) for _ in block]
    for i, (a_offset, a) in enumerate(placed):
        assert a_offset % ALIGNMENT == 0
        assert a_offset + a.size <= plan.total
        for j, (b_offset, b) in enumerate(placed[:i]):
            if owner[i] != owner[j] and a.first <= b.last and b.first <= a.last:
                assert a_offset + a.size <= b_offset or b_offset + b.size <= a_offset


@given(st.lists(blocks(), max_size=10))
def test_lower_bound(items: list[Block]) -> None:
    plan = allocate(items)
    assert plan.lower_bound <= plan.total
    assert (plan.lower_bound, plan.peak_step) == lower_bound(items)


def test_chain_reaches_the_bound() -> None:
    """a -> b -> c -> d: only neighbours live together."""
    sizes = [100, 300, 200, 400]
    plan = allocate([(Span(size, i, i + 1),) for i, size in enumerate(sizes)])
    assert plan.total == plan.lower_bound == 600


def test_in_place_shares_its_block() -> None:
    plan = allocate([(Span(100, 0, 1), Span(60, 1, 2)), (Span(50, 2, 3),)])
    assert plan.total == plan.lower_bound == 110  # step 2: what was written over the 100 bytes, and the 50
