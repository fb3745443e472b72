"""Layers that run by rows together: the order of their calls, and the rows that each buffer between them must hold.

Which call is next follows from which rows there are: the last layer that can run does. `schedule` is the twin of
runtime_c/kernels/portable/ek_rows_next.c.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .rows import SAME, RowLayer

HELD_BYTES = 4  # of ek_rows_held, which each tensor of a group has
_GROWS = 8  # spans in which the planner sees the output of a group grow

Inputs = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class RowTensor:
    """Rows of a tensor, one behind the other. The first of a group is whole; so is the last."""

    name: str
    row_bytes: int
    height: int
    room: int  # rows that its buffer has
    buffer: int  # the tensor in whose buffer it lies: itself, or one whose rows are written over its own
    bytes: int  # of its own buffer
    begin: int  # the first call that writes to its buffer
    end: int  # the last call that uses it


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Layers that run together. Tensor 0 is what they read, tensor k + 1 what layer k makes."""

    layers: tuple[RowLayer, ...]
    inputs: Inputs  # tensors that each layer reads
    tensors: tuple[RowTensor, ...]
    moved_bytes: int  # in one inference, to make room at the end of buffers
    calls: int
    scratch: tuple[tuple[int, int, int], ...]  # of each layer: bytes, its first and its last call
    grows: tuple[tuple[int, int, int], ...]  # of the last tensor: bytes from its beginning that are in use, calls
    over: bool  # whether its rows may be written over those that the group has read
    feed: int = 0  # rows of its input that come at a time, when no layer can run without them; 0: it is whole

    @property
    def last_readers(self) -> tuple[int, ...]:
        """For each layer, the last one that reads what it makes; itself where none of the group does."""
        return _readers(self.inputs)


def _readers(inputs: Inputs) -> tuple[int, ...]:
    return tuple(max((i for i, read in enumerate(inputs) if k + 1 in read), default=k) for k in range(len(inputs)))


def may_end_onto(layers: Sequence[RowLayer]) -> bool:
    """Whether the last layer reads rows of what the group reads, and its kernel may write over just those."""
    inputs, last = _inputs(layers), layers[-1]
    if inputs[-1].count(0) != 1 or len(inputs[-1]) == 1 or last.window != SAME:
        return False
    place = [i for i, t in enumerate(last.view.inputs) if t.data is None][inputs[-1].index(0)]
    return last.whole.inputs[place].shape == last.whole.out.shape and place in last.kernel.in_place(last.view)


def _inputs(layers: Sequence[RowLayer]) -> Inputs:
    made = {layer.whole.out.name: k + 1 for k, layer in enumerate(layers)}
    return tuple(tuple(made.get(t.name, 0) for t in layer.whole.inputs if t.data is None) for layer in layers)


def group_of(layers: Sequence[RowLayer], feed: int = 0, onto: bool = False) -> RowGroup:
    """Layers that run together, each of which reads what those before it made or what the first one reads.

    Args:
        feed: as of RowGroup.
        onto: the last layer writes over rows of the group's input, as `may_end_onto` says, not over another layer's.
    """
    inputs = _inputs(layers)
    source = next(t for t in layers[0].whole.inputs if t.data is None)
    tensors, last = [source, *(layer.whole.out for layer in layers)], len(layers)
    heights = [t.shape[1] for t in tensors]
    row_bytes = [t.nbytes // t.shape[1] for t in tensors]
    order = schedule(layers, inputs, feed)
    buffers = _buffers(layers, inputs, order, row_bytes, last - onto)
    writes = _writes(layers, inputs, order, buffers, feed)
    rooms = _rooms(writes, len(tensors))
    rooms[0], rooms[last] = rooms[0] if feed else heights[0], heights[last]
    uses = _uses(inputs, order, buffers)
    found = tuple(
        RowTensor(
            t.name,
            row_bytes[i],
            heights[i],
            rooms[i],
            buffers[i],
            rooms[i] * row_bytes[i] + _beyond(layers, row_bytes, buffers, i),
            *uses[i],
        )
        for i, t in enumerate(tensors)
    )
    written = [(n, made + count) for n, to, made, _, count in writes if to == last]
    spans = [[n for n, (k, _) in enumerate(order) if k == layer] for layer in range(last)]
    return RowGroup(
        tuple(layers),
        inputs,
        found,
        sum(rows * size for rows, size in zip(_moved(writes, rooms), row_bytes, strict=True)),
        len(order),
        tuple((layers[k].scratch_bytes, calls[0], calls[-1]) for k, calls in enumerate(spans)),
        _grows(written, row_bytes[last], len(order)),
        _over(layers, inputs, order, written, row_bytes, onto),
        feed,
    )


def schedule(layers: Sequence[RowLayer], inputs: Inputs, feed: int = 0) -> list[tuple[int, int]]:
    """(layer, which of its calls), in the order in which they run; rows of the input come as calls of layer -1."""
    made = [0] * (len(layers) + 1)
    height = layers[0].whole.x.shape[1]
    made[0] = 0 if feed else height
    done = [0] * len(layers)
    needs = [[c.end for c in layer.calls] for layer in layers]
    readers = _readers(inputs)
    order = []
    at = len(layers) - 1
    while at >= 0:
        k = done[at]
        if k < len(needs[at]) and all(made[t] >= needs[at][k] for t in inputs[at]):
            order.append((at, k))
            done[at] += 1
            made[at + 1] += layers[at].calls[k].count
            at = readers[at]
        elif at:
            at -= 1
        elif made[0] < height:
            order.append((-1, made[0] // feed))
            made[0] = min(made[0] + feed, height)
            at = len(layers) - 1
        else:
            at = -1
    return order


def rows_of(layers: Sequence[RowLayer], feed: int, at: int, call: int) -> int:
    """Rows of a call in a schedule."""
    return layers[at].calls[call].count if at >= 0 else min(feed, layers[0].whole.x.shape[1] - call * feed)


def _buffers(
    layers: Sequence[RowLayer], inputs: Inputs, order: Sequence[tuple[int, int]], row_bytes: Sequence[int], count: int
) -> list[int]:
    """For each tensor the one in whose buffer it lies; the first `count` layers may write over what they read.

    Rows that a layer's kernel may overwrite lie where those of its output go, if nobody else reads them. Longer or
    shorter ones can only where the layer always runs right after the one that made them, on the same rows: they lie
    close together, from where the first of them goes. Others may be ahead, where no row in the buffer reaches them.
    """
    last = len(layers)
    found = list(range(last + 1))
    after = dict(pairwise(order))
    alone = _rooms(_writes(layers, inputs, order, found, 1), last + 1)
    for k in reversed(range(count)):
        layer = layers[k]
        if layer.window != SAME:
            continue
        places = [i for i, t in enumerate(layer.view.inputs) if t.data is None]
        options = []
        for i in layer.kernel.in_place(layer.view):
            t, to = inputs[k][places.index(i)], found[k + 1]
            if t == 0 or sum(read.count(t) for read in inputs) != 1 or (row_bytes[t] > row_bytes[to] and to == last):
                continue
            at_once = layers[t - 1].rows == layer.rows and all(
                after.get((t - 1, c)) == (k, c) for c in range(len(layer.calls))
            )
            longest = max(row_bytes[other] for other, at in enumerate(found) if at == to)
            if at_once or row_bytes[t] == row_bytes[k + 1] == row_bytes[to] == longest:
                saved = alone[t] if to == last or at_once else layers[t - 1].rows
                options.append((saved * row_bytes[t], -t))
        if options:
            found[-max(options)[1]] = found[k + 1]
    return found


def _beyond(layers: Sequence[RowLayer], row_bytes: Sequence[int], buffers: Sequence[int], tensor: int) -> int:
    """Bytes of a buffer behind its last row, for rows of others in it that are longer."""
    others = [t for t, at in enumerate(buffers) if at == tensor and t != tensor]
    return max((layers[t - 1].rows * max(row_bytes[t] - row_bytes[tensor], 0) for t in others), default=0)


def _writes(
    layers: Sequence[RowLayer],
    inputs: Inputs,
    order: Sequence[tuple[int, int]],
    buffers: Sequence[int],
    feed: int = 0,
) -> list[tuple[int, int, int, int, int]]:
    """For each call: its number, the buffer that it writes to, the row from which on, the first row of the buffer that
    is needed, and how many rows it writes."""
    readers = [[i for i, read in enumerate(inputs) if t in read] for t in range(len(layers) + 1)]
    done = [0] * (len(layers) + 1)  # the last one: of layer -1
    made = [0] * (len(layers) + 1)
    found = []
    for n, (at, k) in enumerate(order):
        count, to = rows_of(layers, feed, at, k), buffers[at + 1]
        needed = [layers[i].calls[done[i]].begin for i in readers[to] if done[i] < len(layers[i].calls)]
        found.append((n, to, made[at + 1], min([made[to], *needed]), count))
        done[at] += 1
        made[at + 1] += count
    return found


def _rooms(writes: Sequence[tuple[int, int, int, int, int]], tensors: int) -> list[int]:
    """Rows that each buffer must have."""
    rooms = [0] * tensors
    for _, to, made, keep, count in writes:
        rooms[to] = max(rooms[to], made - keep + count)
    return rooms


def _moved(writes: Sequence[tuple[int, int, int, int, int]], rooms: Sequence[int]) -> list[int]:
    """Rows of each tensor that are moved to the beginning of its buffer."""
    first, top, moved = [0] * len(rooms), [0] * len(rooms), [0] * len(rooms)
    for _, to, made, keep, count in writes:
        if made + count - first[to] > rooms[to]:
            moved[to] += top[to] - keep
            first[to] = keep
        top[to] = max(top[to], made + count)
    return moved


def _uses(inputs: Inputs, order: Sequence[tuple[int, int]], buffers: Sequence[int]) -> list[tuple[int, int]]:
    """The first and the last call that use the buffer of each tensor."""
    found: dict[int, tuple[int, int]] = {}
    for n, (at, _) in enumerate(order):
        for t in (at + 1, *(inputs[at] if at >= 0 else ())):
            found[buffers[t]] = (found.get(buffers[t], (n, n))[0], n)
    return [found[at] for at in buffers]


def _grows(written: Sequence[tuple[int, int]], row_bytes: int, calls: int) -> tuple[tuple[int, int, int], ...]:
    """(bytes, first call, last call) from calls by which so many rows of an output are written."""
    step = -(-len(written) // _GROWS)
    found, top = [], 0
    for i in range(0, len(written), step):
        part = written[i : i + step]
        end = written[i + step][0] - 1 if i + step < len(written) else calls - 1
        top = max(top, *(rows for _, rows in part))
        found.append((top * row_bytes, part[0][0], end))
    return tuple(found)


def _over(
    layers: Sequence[RowLayer],
    inputs: Inputs,
    order: Sequence[tuple[int, int]],
    written: Sequence[tuple[int, int]],
    row_bytes: Sequence[int],
    onto: bool,
) -> bool:
    """Whether the output may begin where the input does: no write reaches a row that has yet to be read.

    Args:
        onto: but for those that the call itself reads.
    """
    begins = {k: layers[k].calls[0].begin for k, read in enumerate(inputs) if 0 in read}
    ends = dict(written)
    for n, (at, k) in enumerate(order):
        others = [begin for reader, begin in begins.items() if not (onto and reader == at)]
        if others and ends.get(n, 0) * row_bytes[-1] > min(others) * row_bytes[0]:
            return False
        if at in begins:
            calls = layers[at].calls
            begins[at] = calls[k + 1].begin if k + 1 < len(calls) else layers[0].whole.x.shape[1]
    return True
