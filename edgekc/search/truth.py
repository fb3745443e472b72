"""A candidate to the packed model and its figures, measured on what was built."""

from __future__ import annotations

from pathlib import Path

from ..compression.state import OnProgress
from ..progress import Log, unsaid
from .candidate import Candidate, Figures
from .problem import Problem


def measure(
    problem: Problem,
    candidate: Candidate,
    *,
    checkpoints: Path | None = None,
    on_progress: OnProgress = lambda title, progress: None,
    log: Log = unsaid,
) -> tuple[bytes, Figures]:
    """Compress by the candidate's recipe, compile for the board, link, run, and judge by validation samples.

    Args:
        checkpoints: a folder that a killed training resumes from; None: none.
        on_progress: is given the progress of each training.

    Returns:
        The bytes of the .ekc, and its figures: flash and RAM of the linked model, cycles estimated on the emulated
        core, accuracy of the packed model on the bit-exact host emulator.

    Raises:
        CapacityError: it does not fit into the board, or into the candidate's RAM.
        ToolError: a compiler or emulator is missing.
        UsageError: the candidate's layers are not the model's.
    """
    raise NotImplementedError
