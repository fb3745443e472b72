"""What a program's methods found: frozen records that print as the tables of the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .. import tables
from ..console.session import BoardRun
from ..firmware.build import Optimise
from ..measure import report
from ..measure.budget import check_budget
from ..measure.emulated import Measurement, check_accesses
from ..paired import Paired, wilson
from ..report.confusion import confusion
from ..report.layers import cycles_by_layer
from ..report.treemap import treemap


@dataclass(frozen=True, slots=True)
class Built(tables.Shown):
    """Firmware on disk.

    Attributes:
        board: it is for this board.
        optimise: what the model's code was compiled for.
        folder: where it is.
        files: name -> bytes.
    """

    board: str
    optimise: str
    folder: Path
    files: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """What `edgekc build --json` prints."""
        files = dict(self.files)
        return {"board": self.board, "optimise": self.optimise, "folder": str(self.folder), "files": files}

    def parts(self) -> list[tables.Part]:
        """Folder, names and sizes on one line."""
        sizes = ", ".join(f"{name} {tables.size(count)} bytes" for name, count in self.files.items())
        return [f"{self.folder}: {sizes}"]


@dataclass(frozen=True, slots=True)
class Verification(tables.Shown):
    """Whether reference, host and device gave the same bytes.

    Attributes:
        ok: every byte was equal.
        difference: the first sample, layer and element that differ, with both values; empty where `ok`.
        network: name of the network.
        board: the board that was asked; None: reference and host only.
        emulator: what ran its program; None where the board itself did, or none was asked.
        optimise: what the device's code was compiled for, `speed` or `size`; None without an emulated device.
        samples: how many inputs were run.
        layers: of the network.
        traced_samples: of how many every layer was compared, and not only the outputs.
        output_sha256: of all outputs, one after the other; empty where they differ.
        oracles: what gave the same outputs from the file that was compiled.
        notes: what was not compared, and why.
        on_board: what a real board, asked over its console, counted; None otherwise.
    """

    ok: bool
    difference: str
    network: str
    board: str | None
    emulator: str | None
    optimise: Optimise | None
    samples: int
    layers: int
    traced_samples: int
    output_sha256: str
    oracles: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    on_board: BoardRun | None = None

    def to_dict(self) -> dict[str, Any]:
        """What `edgekc verify --json` prints."""
        found = asdict(self)
        found.pop("on_board")
        return found if self.on_board is None else {**found, "on_board": self.on_board.to_dict()}

    def origin_lines(self) -> list[str]:
        """What the reference itself was compared with: a line for all of it, and one for each note."""
        return ([f"reference = {' = '.join(self.oracles)}"] if self.oracles else []) + list(self.notes)

    def parts(self) -> list[tables.Part]:
        """Who agreed about what, a line each."""
        if not self.ok:
            return [f"{self.network}: {self.difference}"]
        who = "reference = host"
        if self.on_board is not None:
            who += f" = {self.on_board.board} (over {self.on_board.link})"
        elif self.board is not None:
            who += f" = {self.board} ({self.emulator})"
        return [
            f"{self.network}: {who}, {self.samples} samples, {self.layers} layers, every byte equal",
            *self.origin_lines(),
            f"outputs sha256 {self.output_sha256}",
        ]


@dataclass(frozen=True, slots=True)
class Evaluation(tables.Shown):
    """How many labelled samples a program got right; the first class wins where outputs are equal.

    Attributes:
        network: name of the network.
        device: `host`, or the board's name.
        right: samples whose largest output is that of their label.
        total: samples.
        confusion: rows are labels, columns are answers; counts, (classes, classes).
        classes: their names, by number.
        comparisons: the program beside other models, on the same samples.
    """

    network: str
    device: str
    right: int
    total: int
    confusion: tuple[tuple[int, ...], ...]
    classes: tuple[str, ...]
    comparisons: tuple[Paired, ...] = ()

    @property
    def accuracy(self) -> float:
        """Share of right answers, 0 to 1."""
        return self.right / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy, in percent, by Wilson's score."""
        return wilson(self.right, self.total)

    def to_dict(self) -> dict[str, Any]:
        """What `edgekc evaluate --json` prints."""
        return {
            **asdict(self),
            "accuracy": self.accuracy,
            "interval_percent": self.interval,
            "comparisons": [found.as_json() for found in self.comparisons],
        }

    def _repr_html_(self) -> str:
        """The table, and the confusion matrix as a picture."""
        found = confusion(self.confusion, self.classes, "", ())
        return tables.html(self.parts()) + found.body()

    def parts(self) -> list[tables.Part]:
        """Accuracy, and the confusion matrix."""
        sheet = tables.Sheet(
            "samples by label (rows) and answer (columns)", "label", *map(tables.number, self.classes),
            tables.number("all"), tables.number("right"),
        )  # fmt: skip
        for i, (name, row) in enumerate(zip(self.classes, self.confusion, strict=True)):
            share = f"{100 * row[i] / sum(row):.1f} %" if sum(row) else ""
            sheet.add(name, *(tables.size(n) if n else "" for n in row), tables.size(sum(row)), share)
        low, high = self.interval
        line = f"accuracy of {self.network} on {self.device}: {self.right:,} of {self.total:,}, {self.accuracy:.2%}"
        beside = [f"{self.network} against {found.base}, same samples: {found}" for found in self.comparisons]
        return [f"{line} (95% {low:.2f} to {high:.2f})", *beside, sheet]


@dataclass(frozen=True, slots=True)
class LayerCosts:
    """What one layer takes.

    Attributes:
        name, op, kernel: as the manifest calls them.
        macs: multiplications of an inference.
        flash_bytes: weights, tables and code that no other layer shares.
        instructions: of the first inference; None where nothing counted them.
        cycles: of the first inference, by a real board; None otherwise.
        estimated_cycles: of the first inference, likely, without wait states; None where nothing estimates them.
    """

    name: str
    op: str
    kernel: str
    macs: int
    flash_bytes: int
    instructions: int | None
    cycles: int | None
    estimated_cycles: int | None = None


@dataclass(frozen=True, slots=True)
class Costs(tables.Shown):
    """What a program costs on a board. Instructions are never cycles or time.

    Attributes:
        network, board, compiler, optimise, emulator: what was measured, and by what.
        flash_bytes: of the model: weights, code, tables, and library code that it calls; without the harness.
        ram_bytes: of the model: arena, state, static data and peak stack; None where the stack is not known.
        arena_bytes: activations and scratch.
        io_bytes: input and output, which the caller holds.
        stack_bytes: peak of an inference; None where it is not known.
        board_ram_bytes: what a board needs: arena, state, static data, input, output, and the most that the stack can
            take, at least what the linker insists on. `edgekc fit` compares this figure. None on Linux.
        instructions: of the first inference; None where nothing counted them.
        cycles: of the first inference, by a real board; None otherwise.
        layers: the same by layer; figures are None where nothing counts by layer.
        measurement: every figure there is, those of each inference and the ledger of bytes included.
        state_bytes: of a streaming network: what is kept from one step to the next; else 0.
        estimated_cycles: of the first inference, likely, without wait states. `measurement.speed` has the range, and
            milliseconds; None where nothing estimates them.
    """

    network: str
    board: str
    compiler: str
    optimise: Optimise
    emulator: str
    flash_bytes: int
    ram_bytes: int | None
    arena_bytes: int
    io_bytes: int
    stack_bytes: int | None
    board_ram_bytes: int | None
    instructions: int | None
    cycles: int | None
    layers: tuple[LayerCosts, ...]
    measurement: Measurement = field(repr=False)
    state_bytes: int = 0
    estimated_cycles: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The figures of this record; `measurement.as_json()` is what `edgekc measure --json` prints."""
        return {
            **{name: getattr(self, name) for name in self.__slots__ if name not in ("layers", "measurement")},
            "layers": [asdict(layer) for layer in self.layers],
        }

    def check(self, *, max_flash_bytes: int | None = None, max_ram_bytes: int | None = None) -> None:
        """Fail where the model misbehaves or costs too much.

        Args:
            max_flash_bytes: most that `flash_bytes` may be; None: anything.
            max_ram_bytes: most that `ram_bytes` may be; None: anything.

        Raises:
            VerifyError: the model touched memory that is none of its business.
            CapacityError: it is over a budget; says by how much.
            UsageError: there is a budget for RAM, and the stack is not known.
        """
        check_accesses(self.measurement)
        check_budget(self.measurement, max_flash_bytes, max_ram_bytes)

    def ledger(self) -> str:
        """Flash by layer and kind, and every byte of RAM, as text."""
        return tables.text(report.ledger_parts(self.measurement))

    def parts(self) -> list[tables.Part]:
        """Flash, RAM and layers."""
        return report.parts(self.measurement)

    def _repr_html_(self) -> str:
        """The tables, a treemap of flash and the cycles of each layer."""
        m = json.loads(json.dumps(self.measurement.as_json()))
        charts = (treemap(m), cycles_by_layer(m))
        return tables.html(self.parts()) + "".join(c.pictures[0] for c in charts if c is not None)


def costs_of(m: Measurement, layers: list[dict[str, Any]]) -> Costs:
    """The record of a measurement; `layers` are the manifest's."""
    counted = {layer.name: layer for layer in m.layers}
    flash: dict[str, int] = {}
    for row in m.by_layer:
        flash[row.layer] = flash.get(row.layer, 0) + row.size_bytes

    def first(counts: tuple[int, ...]) -> int | None:
        return counts[0] if counts else None

    def layer_costs(layer: dict[str, Any]) -> LayerCosts:
        name, found = str(layer["name"]), counted.get(str(layer["name"]))
        instructions, cycles = (None, None) if found is None else (first(found.instructions), first(found.cycles))
        op, kernel = str(layer["op"]), str(layer["kernel"])
        estimate = None if found is None or found.estimated_cycles is None else round(found.estimated_cycles.likely)
        return LayerCosts(name, op, kernel, int(layer["macs"]), flash.get(name, 0), instructions, cycles, estimate)

    return Costs(
        network=m.name,
        board=m.board,
        compiler=m.compiler,
        optimise=m.optimise,
        emulator=m.emulator,
        flash_bytes=m.ledger.model_flash_bytes,
        ram_bytes=m.model_ram_bytes,
        arena_bytes=m.arena_bytes,
        io_bytes=m.io_bytes,
        stack_bytes=m.stack_bytes if m.stack_bytes is not None else m.painted_stack_bytes,
        board_ram_bytes=m.board_ram_bytes,
        instructions=first(m.instructions),
        cycles=first(m.cycles),
        layers=tuple(map(layer_costs, layers)),
        measurement=m,
        state_bytes=m.state_bytes,
        estimated_cycles=None if m.speed is None else round(m.speed.cycles.likely),
    )


def told_of(manifest: Mapping[str, Any]) -> list[str]:
    """What a program's summary ends with: its blob, how it runs by rows, and the packages that the folder holds."""
    said = []
    if "blob" in manifest:
        blob = manifest["blob"]
        said.append(f"constants in {blob['file']}: {tables.size(blob['bytes'])} bytes, identity {blob['identity']}")
    packages = manifest.get("packages", ())
    said += _told_of_ram(manifest)
    return said + [
        f"package {p['kind']}: {p['files']} files, {tables.size(p['bytes'])} bytes, in packages/{p['kind']}"
        for p in packages
    ]


def _told_of_ram(manifest: Mapping[str, Any]) -> list[str]:
    """Which layers of a program run by rows, and where it was asked for, the RAM at both ends."""
    rows = [layer["name"] for layer in manifest["layers"] if "rows" in layer]
    said = [f"by rows: {rows[0]} to {rows[-1]}, {len(rows)} layers"] if rows else []
    if "input_rows" in manifest:
        said.append(f"the input comes in rows, at most {manifest['input_rows']} at a time: {manifest['name']}_run_rows")
    if "ram" in manifest:
        ram, state = manifest["ram"], ", state" * ("state_bytes" in manifest)
        said.append(
            f"RAM of arena{state} and stack: {tables.size(ram['asked'])} asked, about "
            f"{tables.size(ram['more_cycles'])} cycles more than the fastest; the least that would do is "
            f"{tables.size(ram['least'])}, the fastest takes {tables.size(ram['fastest'])}"
        )
    return said
