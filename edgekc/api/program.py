"""A model compiled for a board: it can be verified, run, evaluated, measured, built, flashed and saved."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import tables
from ..boards.board import Board
from ..console.session import BoardRun, Way
from ..emulate import host
from ..emulate.compare import compare
from ..emulate.origin import find_source
from ..errors import UsageError, VerifyError
from ..files.output import write_folder
from ..firmware.build import Optimise
from ..firmware.folder import build_all, firmware_folder
from ..flashing import run as flashing
from ..format.pack import read
from ..graph.ir import Array, Graph
from ..measure.emulated import measure
from ..progress import Progress, silent, unsaid
from .devices import Device, ask, board_of, emulate, flash_job, sequences_of
from .results import Built, Costs, Evaluation, Verification, costs_of, told_of
from .samples import Batch, batch_of, batch_of_dataset, dataset_of, evaluation_of, first_inputs, layout_of, outputs_of


class Program(tables.Shown):
    """What `compile` gives, and `open_program`. Printed, it says what the plan holds.

    Attributes:
        name: of the network, in C.
        manifest: what manifest.json says: inputs, outputs, layers, arena_bytes, ...
    """

    __slots__ = "_board _files _folder _graph _host _layout _source _temporary manifest name".split()

    def __init__(
        self,
        files: Mapping[str, bytes] | None,
        folder: Path | None,
        board: str | Path | Board,
        manifest: Mapping[str, Any],
        source: Path | None = None,
        layout: str = "",
    ) -> None:
        """Use `compile` or `open_program`. Without `files` they are in the folder; without a folder they are not saved.

        Args:
            source: the file that was compiled.
            layout: NCHW: images may also come as (c, h, w). Default: what `layout_of` says.
        """
        self.manifest, self.name = manifest, str(manifest["name"])
        self._files, self._folder, self._board, self._source = files, folder, board, source
        self._layout = layout or layout_of(manifest)
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._graph: Graph | None = None
        self._host: host.HostProgram | None = None

    # ---- what it is ----

    @property
    def board(self) -> Board:
        """What it is compiled for. BoardError where the folder names a board that is not known here."""
        self._board = board_of(self._board, self.manifest, self._folder)
        return self._board

    @property
    def files(self) -> Mapping[str, bytes]:
        """Every file of the output folder: path below it -> content."""
        if self._files is None:
            assert self._folder is not None
            names = [*map(str, self.manifest["files"]), "manifest.json"]
            if any(Path(name).is_absolute() or ".." in Path(name).parts for name in names):
                raise UsageError("damaged (files outside of the folder)", where=str(self._folder / "manifest.json"))
            self._files = {name: (self._folder / name).read_bytes() for name in names}
        return self._files

    @property
    def ekc(self) -> bytes:
        """The packed model: the bytes of NAME.ekc."""
        return (self.folder / f"{self.name}.ekc").read_bytes()

    @property
    def graph(self) -> Graph:
        """The packed model's operators, in integers. FormatError where its file is damaged."""
        if self._graph is None:
            graph = read(self.ekc, f"{self.name}.ekc").graph
            self._graph = replace(graph, metadata={**graph.metadata, "source_layout": self._layout})
        return self._graph

    @property
    def folder(self) -> Path:
        """Where its files are: where it was saved or opened; else a temporary folder, as long as the program lives."""
        if self._folder is not None:
            return self._folder
        if self._temporary is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="edgekc-program-")
            write_folder(self.files, Path(self._temporary.name) / self.name)
        return Path(self._temporary.name) / self.name

    def save(self, folder: str | Path, *, force: bool = False) -> Path:
        """Write the output folder, completely or not at all, over an earlier output or an empty folder.

        Args:
            force: also over files of an earlier output that were changed since. Files of others always stay.

        Raises:
            UsageError: something else is there, or it cannot be written.
        """
        target = Path(folder)
        write_folder(self.files, target, force=force)
        self._folder = target
        return target

    def to_dict(self) -> dict[str, Any]:
        """The manifest, as manifest.json has it."""
        return dict(self.manifest)

    def parts(self) -> list[tables.Part]:
        """Files, packed model and arena, a line each. Sizes of code come from `measure`."""
        title, m = self._folder or self.name, self.manifest
        state = f"; state {m['state_bytes']:,} bytes" if "state_bytes" in m else ""
        sizes = ", ".join(f"{s['kind']} {tables.size(s['bytes'])}" for s in m["sections"])
        arena, least = int(m["arena_bytes"]), int(m["arena_lower_bound"])
        macs = tables.size(sum(int(layer["macs"]) for layer in m["layers"]))
        return [
            f"{title}: {sum(p.startswith('src/') for p in m['files'])} C files, {len(m['layers'])} layers, {macs} MACs",
            f"packed model {tables.size(m['ekc_bytes'])} bytes{', stripped in flash' * ('embedded' in m)}: {sizes}",
            f"arena {tables.size(arena)} bytes, {arena / max(least, 1):.3f} x the lower bound of {tables.size(least)}, "
            f"peak during {m['arena_peak_layer']}{state}",
            *told_of(m),
        ]

    # ---- what it computes ----

    def run(
        self, x: Any, *, device: Device = "host", way: Way | None = None, reset_each: bool = False,
        timeout_s: float = 600.0,
    ) -> Any:  # fmt: skip
        """Outputs of samples. Those of a streaming network are one sequence, from its first state on.

        Args:
            x: an array, or one for each input: (n, *shape) or a single sample (*shape), images NHWC, or NCHW where the
                program was compiled here from a model that has them so. int8 (or whatever type the input has) goes in
                as it is; float, and uint8 images, are quantised by the manifest's scale and zero point.
            device: `host`: the generated C, compiled for this machine: the same bits as on every board. `board`: the
                board's emulator, or the board itself where `way` is given.
            way: how the board's console is reached, see `Way`.
            reset_each: a streaming network starts at each sample again.
            timeout_s: for each run of the emulator.

        Returns:
            An array for each output, (n, *shape) or (*shape) as x was; without a tuple where there is one output. Of
            float samples they are float32, by the manifest's scale and zero point.

        Raises:
            UsageError: shape or type do not fit.
            ToolError: there is no compiler or emulator, or the device failed.
        """
        batch = batch_of(x, self.manifest, self._layout)
        return outputs_of(self._outputs(batch, device, way, reset_each, timeout_s, silent), batch, self.manifest)

    def evaluate(
        self,
        x: Any,
        y: Any = None,
        *,
        device: Device = "host",
        way: Way | None = None,
        reset_each: bool = False,
        count: int | None = None,
        against: Sequence[str | Path] = (),
        timeout_s: float = 600.0,
        progress: Progress = silent,
    ) -> Evaluation:
        """Accuracy over labelled samples, beside that of other models, and the confusion matrix.

        Args:
            x: an array (n, *shape); or without y: data as `compress` takes it, its split `test`, with its `starts`.
            y: class numbers (n,).
            device: as in `run`, as are `way`, `reset_each` and `timeout_s`.
            count: only the first so many samples.
            against: files of other models, such as the float one, to compare with on the same samples.
            progress: is told what runs.

        Raises:
            UsageError: there are no labels, or data and model do not fit.
            ToolError: as `run`.
        """
        dataset = dataset_of(x, y, self.graph, count)
        batch = batch_of_dataset(dataset, self.graph)
        progress(f"run {batch.count} samples on the {device}", 0, 0)
        found = outputs_of(self._outputs(batch, device, way, reset_each, timeout_s, progress), batch, self.manifest)
        scores: Array = found[0] if isinstance(found, tuple) else found
        where = "the host" if device == "host" else self.board.name
        return evaluation_of(self.name, where, scores, dataset, self.graph, against)

    def verify(
        self,
        samples: int = 16,
        *,
        seed: int = 0,
        data: Any = None,
        device: bool = True,
        model: str | Path | None = None,
        way: Way | None = None,
        optimise: Optimise = "speed",
        timeout_s: float = 600.0,
        progress: Progress = silent,
    ) -> Verification:
        """Compare reference, host and device, layer by layer, and the reference with the file that was compiled.

        Args:
            samples: how many inputs: all lowest, all highest, a ramp, then random ones.
            seed: of the random ones.
            data: instead, the first samples of this data, as `evaluate` takes.
            device: False: reference and host only.
            model: the file that was compiled, where it is not beside the folder, here, or where it was.
            way: the board itself is asked, over its console; None: its emulator.
            optimise: what the device's code is compiled for.
            timeout_s: for each run of the emulator.
            progress: is told what runs.

        Returns:
            A record whose `ok` says whether every byte was equal.

        Raises:
            UsageError: the named file is not what was compiled, or the data does not fit.
            BoardError, CapacityError, ToolError: the device cannot be asked.
        """
        source = find_source(
            self.folder, self.name, None if model is None else Path(model),
            () if self._source is None else (self._source.resolve().parent,),
        )  # fmt: skip
        board = self.board if device or way is not None else None
        inputs = self._inputs(samples, seed, data)
        emulated = None if way is not None else board
        try:
            found = compare(
                self.folder, emulated, inputs, source=source, timeout_s=timeout_s, optimise=optimise, progress=progress
            )  # fmt: skip
            done = (
                None
                if way is None
                else ask(self.folder, self.board, way, inputs, layers=True, check=True, progress=progress)
            )
        except VerifyError as error:
            count = len(inputs) // host.input_bytes(dict(self.manifest))
            name = None if board is None else board.name
            return Verification(
                False, str(error), self.name, name, None, optimise, count, len(self.manifest["layers"]), 0, ""
            )  # fmt: skip
        return Verification(
            True, "", found.network, found.board, found.emulator, found.optimise, found.samples, found.layers,
            found.traced_samples, found.output_sha256, found.oracles, found.notes, done,
        )  # fmt: skip

    def measure(
        self,
        samples: int = 2,
        *,
        data: Any = None,
        way: Way | None = None,
        optimise: Optimise = "speed",
        timeout_s: float = 300.0,
        clock_hz: int | None = None,
        progress: Progress = silent,
    ) -> Costs:
        """Build, link and run the program: bytes of flash and RAM, and executed instructions, by layer.

        Args:
            samples: inferences to run, on random inputs that are the same each time.
            data: instead, the first samples of this data, as `evaluate` takes.
            way: the board itself counts, in cycles; None: its emulator, in instructions.
            optimise: what the model's code is compiled for; the bits are the same.
            timeout_s: for each run.
            clock_hz: of the core, for estimated milliseconds; None: the board's highest, with `way` its console's.
            progress: is told what runs.

        Raises:
            CapacityError: it does not fit; names the region and by how many bytes.
            BoardError, FlashError, ToolError, UsageError: the board cannot be asked.
            VerifyError: the stack went deeper than its static bound.
        """
        inputs = None if data is None else self._inputs(samples, 0, data)
        if way is None:
            found = measure(
                self.folder, self.board, samples=samples, inputs=inputs, clock_hz=clock_hz, progress=progress,
                timeout_s=timeout_s, optimise=optimise,
            )  # fmt: skip
        else:
            from ..measure.on_board import measure_on_board

            found = measure_on_board(self.folder, self.board, way, samples, inputs, clock_hz, progress)
        return costs_of(found, list(self.manifest["layers"]))

    # ---- firmware ----

    def build(self, out: str | Path | None = None, *, optimise: Optimise = "speed", force: bool = False) -> Built:
        """Build the board's program: the model, startup, linker script and the measuring harness.

        Args:
            out: the folder to write. Default: build/BOARD below the folder that the program is saved in.
            optimise: what the model's code is compiled for.
            force: overwrite files of an earlier build that were changed.

        Raises:
            UsageError: the program is not saved and `out` is not given, or something else is in the way.
            BoardError, CapacityError, ToolError: it cannot be built.
        """
        if self._folder is None and out is None:
            raise UsageError("the program is nowhere on disk", where=self.name, fix="save it first, or pass out")
        path = None if out is None else Path(out)
        sizes = build_all(self.folder, self.board, path, optimise=optimise, force=force)
        return Built(
            self.board.name, optimise, firmware_folder(self.folder, self.board, path, optimise=optimise), sizes
        )  # fmt: skip

    def flash(self, way: Way | None = None, *, optimise: Optimise = "speed", log: Any = None) -> flashing.Flashed:
        """Build the board's program, put it into its flash, read it back and compare every byte.

        Args:
            way: its tool, probe, openocd_config, options and timeout_s (for each step) are used.
            optimise: what the model's code is compiled for, `speed` or `size`.
            log: is given each command before it runs.

        Raises:
            FlashError: it could not be programmed, or holds something else afterwards.
            BoardError, CapacityError, ToolError, UsageError: it cannot be built or reached.
        """
        way = way or Way(timeout_s=120.0)
        tool, job = flash_job(self.folder, self.board, way, optimise)
        return flashing.flash(tool, job, timeout_s=way.timeout_s, log=log or unsaid)

    def flash_commands(self, way: Way | None = None, *, optimise: Optimise = "speed") -> tuple[str, ...]:
        """What a shell would be told to flash the board, line by line; the program is built, and nothing is flashed.

        Args:
            way: as in `flash`.
            optimise: as in `flash`.

        Raises:
            BoardError, CapacityError, ToolError, UsageError: it cannot be built or reached.
        """
        return tuple(flashing.command_lines(*flash_job(self.folder, self.board, way or Way(), optimise)))

    def run_on_board(
        self,
        x: Any = None,
        *,
        samples: int = 4,
        way: Way | None = None,
        layers: bool = False,
        progress: Progress = silent,
    ) -> BoardRun:
        """Flash the board, run samples through its console, and count cycles and stack.

        Args:
            x: arrays as `run` takes, or bytes, sample after sample as NAME_run takes them. None: made-up inputs.
            samples: how many of those: all lowest, all highest, a ramp, then random ones.
            way: how the board is reached. Default: as its file says; an emulated board by its emulator.
            layers: count each layer too, in a build with traces.
            progress: is told after each sample.

        Raises:
            BoardError, CapacityError, FlashError, ToolError, UsageError: the board cannot be asked.
            VerifyError: the stack went deeper than its static bound.
        """
        if x is None:
            inputs = host.samples(dict(self.manifest), samples, 0)
        else:
            inputs = x if isinstance(x, bytes) else batch_of(x, self.manifest, self._layout).data
        return ask(self.folder, self.board, way or Way(), inputs, layers=layers, progress=progress)

    # ---- how ----

    def _inputs(self, samples: int, seed: int, data: Any) -> bytes:
        if data is None:
            return host.samples(dict(self.manifest), samples, seed)
        return first_inputs(data, self.graph, self.manifest, samples)

    def _outputs(
        self, batch: Batch, device: Device, way: Way | None, reset_each: bool, timeout_s: float, progress: Progress
    ) -> bytes:
        if device not in ("host", "board"):
            raise UsageError(f"device {device!r}; expected host or board")
        if way is not None:
            how: dict[str, Any] = dict(reset_each=reset_each, parts=batch.lengths, progress=progress)
            return ask(self.folder, self.board, way, batch.data, **how).outputs
        sequences = sequences_of(batch.data, self.manifest, reset_each, batch.lengths)
        if device == "board":
            return emulate(self.folder, self.board, sequences, timeout_s)
        if self._host is None:
            self._host = host.build(self.folder)
        return b"".join(host.run(self._host, one) for one in sequences)
