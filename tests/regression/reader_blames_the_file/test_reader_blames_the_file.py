"""The command on a sound file, with a fault of ours in its reader: exit code 1 and a traceback, not the user's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import numpy
import edgekc.importers.tflite.file as reader
from edgekc.cli.main import run
{fault}
run()
"""


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        ("reader.Quant = None", 1, "TypeError: 'NoneType' object is not callable"),
        ("del reader.math.prod", 1, "AttributeError: module 'math' has no attribute 'prod'"),
        ("", 0, ""),
    ],
)
def test_a_fault_of_the_reader_is_ours(tmp_path: Path, fault: str, code: int, said: str) -> None:
    from edgekc.demo.walk import DATA

    command = [sys.executable, "-c", PROGRAM.format(fault=fault), "compile", str(DATA / "digits_int8.tflite")]
    command += ["-o", str(tmp_path / "out"), "--board", "mps2-an386"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == code, done.stderr
    assert "damaged" not in done.stderr
    assert said in done.stderr
    assert (tmp_path / "out").exists() == (code == 0)
