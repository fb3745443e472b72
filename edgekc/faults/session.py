"""Kinds of faults, numbers that draw them, and a trial to counts of what became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random

from ..progress import Progress
from .kinds import Found, Kind
from .records import BY, NowhereError, Row
from .trial import Trial

EXAMPLES = 5  # faults of a kind that are named, of those that nothing noticed


def session(trial: Trial, kinds: Sequence[Kind], runs: int, seed: int, progress: Progress) -> Iterator[Row]:
    """A row for each kind, of `runs` faults. One for each input where nothing is drawn; none where nothing lies."""
    for kind in kinds:
        count = min(runs, trial.samples) if kind.each_input else runs
        each = _during if kind.during else _between
        try:
            found = dict(each(trial, kind, count, seed, progress))
        except NowhereError:
            count, found = 0, {}
        verdicts = Counter(verdict for verdict, _ in found.values())
        silent = [found[i][1] for i in sorted(found) if found[i][0] == "wrong"]
        detected = {by: verdicts[by] for by in BY if verdicts[by]}
        yield Row(kind.name, count, detected, verdicts["harmless"], verdicts["wrong"], tuple(silent[:EXAMPLES]))


def _chance(seed: int, kind: Kind, i: int) -> Random:
    """Of a fault alone: what is drawn for others, and how many there are, changes nothing of it."""
    return Random(f"{seed} {kind.name} {i}")


def _between(trial: Trial, kind: Kind, count: int, seed: int, progress: Progress) -> Iterator[tuple[int, Found]]:
    for i in range(count):
        progress(f"inject {kind.name}", i, count)
        trial.reset()
        yield i, kind.inject(trial, _chance(seed, kind, i), i % trial.samples, 0)


def _during(trial: Trial, kind: Kind, count: int, seed: int, progress: Progress) -> Iterator[tuple[int, Found]]:
    """In the order of the instructions, so that each input's run is walked along once."""
    told = 0
    for sample in range(min(count, trial.samples)):
        points = []
        for i in range(sample, count, trial.samples):
            chance = _chance(seed, kind, i)
            points.append((chance.randrange(1, trial.lengths[sample]), i, chance))
        trial.begin(sample)
        at = 0
        for done, i, chance in sorted(points, key=lambda point: point[:2]):
            progress(f"inject {kind.name}", told, count)
            told += 1
            moment = trial.advance(done - at)
            yield i, kind.inject(trial, chance, sample, done)
            trial.core.restore(moment)
            at = done
