"""A journal of a search whose study has NaN for a name gave a KeyError of Optuna's instead of one line."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("optuna", reason="the extra `search` is not installed")

from edgekc.errors import UsageError
from edgekc.study import journal

LINE = '{"op_code": 0, "worker_id": "a", "study_name": %s, "directions": [1]}\n'


def test_a_study_without_a_name(tmp_path: Path) -> None:
    (tmp_path / journal.FILE).write_text(LINE % '"one"')
    with journal.opened(tmp_path) as storage:
        assert [study.study_name for study in journal.every_study(storage)] == ["one"]
    (tmp_path / journal.FILE).write_text(LINE % "NaN")
    with pytest.raises(UsageError, match="is no journal of a search"), journal.opened(tmp_path):
        pass
