"""Damaged operators of .tflite files that the fuzzer found: refused, not met with a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekc.errors import EdgekcError
from edgekc.importers import import_model

HERE = Path(__file__).parent


@pytest.mark.parametrize(
    ("name", "what"),
    [("transpose_conv_of_rows", "input of shape"), ("sum_of_nothing", "ADD_N: a sum of nothing")],
)
def test_it_is_refused(name: str, what: str) -> None:
    with pytest.raises(EdgekcError, match=what) as error:
        import_model(HERE / f"{name}.tflite", "net")
    assert "\n" not in str(error.value)
