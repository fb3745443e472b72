"""What all tests of studies share."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal syncs each of its lines; a test of a hundred lines does not wait for a disk that others use too."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)
