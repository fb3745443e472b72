"""A network whose name ends as those of files with arrays do, `of_data`, had no C with `--blob`, and a KeyError."""

from __future__ import annotations

import pytest

import edgekc


@pytest.mark.fast
def test_a_name_that_ends_in_data() -> None:
    program = edgekc.compile("edgekc/demo/data/digits_int8.tflite", name="of_data", blob=True)
    assert {"src/of_data.c", "include/of_data.h", "of_data.blob"} <= program.files.keys()
    assert "src/of_data_data.c" not in program.files
