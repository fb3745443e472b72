"""Registers the operator that stands for compressed layers, for the tests of the format only."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from graphs import HOLDER

from edgekc.ops import BY_CODE, OPS


@pytest.fixture
def holder_op() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(OPS, HOLDER.name, HOLDER)
        patch.setitem(BY_CODE, HOLDER.code, HOLDER)
        yield
