"""`compress` with checkpoints, killed at random moments or stopped by a full disk: the next run gives the same file."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed")

import killed_runs

from edgekc.errors import UsageError

KILLS = 20
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # a fork has only the thread that forked


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_twenty_random_moments(tmp_path: Path) -> None:
    """Of pruning, SVD, learned steps, templates, and trainings with a transfer and on the device's integers."""
    command = [sys.executable, str(Path(killed_runs.__file__)), str(tmp_path), str(KILLS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **ONE_THREAD})
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["kills"] == KILLS
    assert len(found["digests"]) >= 3 and len(set(found["digests"])) == 1
    assert len(set(found["steps_done"])) >= 3  # they were killed in front of different steps


@pytest.mark.parametrize("written", [0, 2, 4])
def test_a_disk_that_is_full_in_the_midst(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int) -> None:
    """Of steps, and of a training: the error names the file, and a run with room goes on to the same model."""
    graph, data = killed_runs.network()
    recipe = killed_runs.RECIPE.split("[[compress]]")
    monkeypatch.setattr(killed_runs, "RECIPE", "[[compress]]".join([recipe[0], *recipe[2:4], recipe[6]]))
    killed_runs.compress(graph, data, tmp_path / "whole")
    real, count = Path.write_bytes, [0]

    def write(self: Path, content: bytes) -> int:
        count[0] += 1
        if count[0] > written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(self, content)

    folder = tmp_path / "full"
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write)
        with pytest.raises(UsageError, match="cannot be written: No space left") as error:
            killed_runs.compress(graph, data, folder)
    assert str(folder / "kept") in str(error.value) and ".edgekc-" not in str(error.value)
    began = sorted(path.name for path in (folder / "kept").iterdir())
    assert len(began) == written and all(name.endswith((".state", ".opening", ".training")) for name in began)
    killed_runs.compress(graph, data, folder)
    assert (folder / "out.ekc").read_bytes() == (tmp_path / "whole" / "out.ekc").read_bytes()


def test_a_file_is_no_folder_for_checkpoints(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"mine")
    graph, data = killed_runs.network()
    with pytest.raises(UsageError, match="kept") as error:
        killed_runs.compress(graph, data, tmp_path)
    assert "\n" not in str(error.value)
    assert (tmp_path / "kept").read_bytes() == b"mine"
