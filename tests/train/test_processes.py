"""Two processes that torchrun starts give what one gives, and end when one of them fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

HERE = Path(__file__).resolve().parent
BFLOAT16 = 2e-2  # of the largest weight: sums in another order round to another number of 8 bits
FLOAT32 = 1e-4


def torchrun(*words: object) -> subprocess.CompletedProcess[str]:
    if not torch.distributed.is_available() or not torch.distributed.is_gloo_available():
        pytest.skip("PyTorch has no gloo")
    line = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *map(str, words)]
    path = os.pathsep.join([str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])
    settings = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    return subprocess.run(line, capture_output=True, text=True, env=settings, timeout=280)


@pytest.mark.slow
def test_two_processes_give_what_one_gives(tmp_path: Path) -> None:
    result = torchrun(HERE / "several.py", tmp_path, "train")
    assert result.returncode == 0, result.stderr[-3000:]
    first, second = (np.load(tmp_path / f"{rank}.npz") for rank in range(2))
    names = {key.split("/")[0] for key in first.files}
    assert len(names) == 11
    for name in sorted(names):
        count = sum(key.startswith(f"{name}/alone/") for key in first.files)
        assert count == sum(key.startswith(f"{name}/together/") for key in first.files) > 2
        assert np.abs(first[f"{name}/alone/1"]).max() > 0  # of the first weights: training did something
        for i in range(count):
            alone, together = first[f"{name}/alone/{i}"], first[f"{name}/together/{i}"]
            assert np.array_equal(together, second[f"{name}/together/{i}"]), (name, i)
            near = (BFLOAT16 if name == "bfloat16" else FLOAT32) * np.abs(alone).max()
            np.testing.assert_allclose(together, alone, rtol=0, atol=near, err_msg=f"{name} {i}")


@pytest.mark.slow
def test_the_others_end_with_a_process_that_fails(tmp_path: Path) -> None:
    result = torchrun(HERE / "several.py", tmp_path, "fail")
    assert result.returncode != 0
    assert "another process of this training ended" in result.stdout + result.stderr
