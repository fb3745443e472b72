"""A candidate to the packed model and its figures, measured on what was built."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from ..compression.run import compress
from ..compression.sizes import layer_sizes
from ..compression.state import OnProgress
from ..data import Dataset, subset
from ..errors import ToolError
from ..evaluate import accuracy_of, host_answers, output_error
from ..files.output import write_folder
from ..format.pack import pack
from ..generate.goals import check_goal
from ..measure import emulated
from ..pipeline import compile_packed, target_of, to_integer
from ..progress import Log, unsaid
from ..recipe import Recipe
from ..train.pytorch import trainer
from .candidate import Candidate, Figures
from .problem import Problem

_TIMEOUT_S = 600.0  # of the emulator


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
    ekc = packed(problem, problem.recipe(candidate), checkpoints, on_progress, log)
    goal = check_goal(candidate.optimise)
    target = replace(target_of(problem.board), model_ram_bytes=candidate.ram)
    made = compile_packed(ekc, f"{problem.name}.ekc", problem.name, target, goal=goal, log=log)
    with tempfile.TemporaryDirectory(prefix="edgekc-search-") as temporary:
        folder = Path(temporary) / problem.name
        write_folder(made.files, folder)
        cost = emulated.measure(folder, problem.board, samples=1, timeout_s=_TIMEOUT_S)
    if cost.model_ram_bytes is None:
        fix = "take a board with an emulator: edgekc boards"
        raise ToolError("nothing can tell how deep the stack gets", where=f"board {problem.board.name}", fix=fix)
    speed = cost.speed
    loss, accuracy = _judged(problem, ekc)
    return ekc, Figures(
        flash=cost.ledger.model_flash_bytes,
        ram=cost.model_ram_bytes,
        cycles=None if speed is None else round(speed.cycles.likely),
        seconds=None if speed is None or speed.milliseconds is None else speed.milliseconds.likely / 1000,
        loss=loss,
        accuracy=accuracy,
        weights=sum(size.packed for size in layer_sizes(made.packed)),
    )


def packed(
    problem: Problem,
    recipe: Recipe,
    checkpoints: Path | None = None,
    on_progress: OnProgress = lambda title, progress: None,
    log: Log = unsaid,
) -> bytes:
    """The bytes of the .ekc that `edgekc compress` makes by this recipe of the same model and samples.

    It is given the samples that `compress` splits off for training where the data have no test part.
    """
    train = problem.parts.train
    samples: Dataset = train if recipe.trains else subset(train, recipe.samples_wanted, problem.seed)
    made = compress(
        problem.graph, recipe, samples, log, validation=problem.parts.validation, on_progress=on_progress,
        trainer=trainer, checkpoints=checkpoints,
    )  # fmt: skip
    return pack(to_integer(made.graph, {**problem.origin, "recipe": recipe.text}, log=log))


def _judged(problem: Problem, ekc: bytes) -> tuple[float, float | None]:
    """Points of accuracy lost, or percent of output error, and the share of right answers where there are labels."""
    base = problem.float_accuracy
    if base is None:
        return 100 * output_error(problem.graph, ekc, problem.judging), None
    found = accuracy_of(host_answers(ekc, problem.judging), problem.judging.labels)
    return base.percent - found.percent, found.right / found.total
