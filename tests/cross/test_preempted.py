"""Networks that interrupt one another on an emulated core: each gives the outputs that it gives alone."""

from __future__ import annotations

import random
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile

import edgekc
from edgekc.assets import RUNTIME_C
from edgekc.boards.board import load_board
from edgekc.demo.walk import DATA
from edgekc.emulate import reference

unicorn = pytest.importorskip("unicorn")
arm: Any = pytest.importorskip("unicorn.arm_const")

MODELS = Path(__file__).resolve().parents[2] / "examples" / "models"
NETWORKS = {"dense": DATA / "digits_int8.tflite", "packed": MODELS / "kws_dscnn.ekc"}
TIMES = 25  # interruptions of each pair
RAM, RAM_BYTES, STACK = 0x20000000, 1 << 20, 16384
AT, STOP = 0x10000, 0x00F00000  # where the program lies, and a return address that ends a call
FRAME = 64  # bytes that an exception pushes, and more


@dataclass(frozen=True, slots=True)
class Net:
    """A network in the program, with an arena, an input and an output for each of two calls."""

    entry: int
    arenas: tuple[int, int]
    inputs: tuple[int, int]
    outputs: tuple[int, int]
    expected: tuple[bytes, bytes]


class Core:
    """An emulated core with both networks in its memory."""

    def __init__(self, board: str, folder: Path) -> None:
        gcc = shutil.which("arm-none-eabi-gcc")
        if gcc is None:
            pytest.skip("arm-none-eabi-gcc is not installed")
        core = load_board(board).core
        programs = {name: edgekc.compile(path, board=board, name=name) for name, path in NETWORKS.items()}
        for name, program in programs.items():
            program.save(folder / name)
        sources = {path.name: path for name in programs for path in sorted((folder / name / "src").glob("*.c"))}
        words = [*core.gcc_flags, "-O2", "-nostdlib", "-static", f"-Wl,-Ttext=0x{AT:x},-e,dense_run"]
        words += [f"-I{folder / name / 'include'}" for name in programs]
        libc = RUNTIME_C / "port" / "freestanding"
        words += ["-fno-builtin", f"-I{libc}", *map(str, sources.values()), str(libc / "ek_libc.c"), "-lgcc"]
        subprocess.run([gcc, *words, "-o", str(folder / "both.elf")], check=True, capture_output=True)
        self.uc: Any = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB)
        self.uc.ctl_set_cpu_model(getattr(arm, f"UC_CPU_ARM_{core.unicorn_model}"))
        self.uc.mem_map(0, 0x01000000)
        self.uc.mem_map(RAM, RAM_BYTES)
        with (folder / "both.elf").open("rb") as file:
            elf = ELFFile(file)
            for segment in elf.iter_segments("PT_LOAD"):
                assert segment["p_flags"] & 2 == 0, "networks have no writable data"
                self.uc.mem_write(segment["p_vaddr"], segment.data())
            symbols = {s.name: s["st_value"] for s in elf.get_section_by_name(".symtab").iter_symbols()}
        self.nets, self.free = {}, RAM
        for name, program in programs.items():
            self.nets[name] = self._net(symbols[f"{name}_run"] | 1, program)

    def _net(self, entry: int, program: edgekc.Program) -> Net:
        graph, rng = program.graph, np.random.default_rng(7)
        shape = graph.tensors[graph.inputs[0]].shape[1:]
        x = rng.integers(-128, 128, (2, *shape)).astype(np.int8)
        (y,) = reference.outputs(graph, [x])
        inputs = tuple(self._room(row.tobytes()) for row in x)
        outputs = tuple(self._room(bytes(row.nbytes)) for row in y)
        arenas = tuple(self._room(bytes(int(program.manifest["arena_bytes"]))) for _ in range(2))
        return Net(entry, (arenas[0], arenas[1]), (inputs[0], inputs[1]), (outputs[0], outputs[1]),
                   (y[0].tobytes(), y[1].tobytes()))  # fmt: skip

    def _room(self, data: bytes) -> int:
        at, self.free = self.free, self.free + (-(-len(data) // 16) * 16)
        self.uc.mem_write(at, data)
        return at

    def enter(self, net: Net, call: int, stack: int) -> int:
        """Registers as a caller has them; where the call begins."""
        given = {"R0": net.arenas[call], "R1": net.inputs[call], "R2": net.outputs[call], "SP": stack, "LR": STOP | 1}
        for register, value in given.items():
            self.uc.reg_write(getattr(arm, f"UC_ARM_REG_{register}"), value)
        self.uc.mem_write(net.outputs[call], bytes([0xA5]) * len(net.expected[call]))
        return net.entry

    def go(self, at: int, count: int = 0) -> bool:
        """Whether the call ended; else it stands behind `count` instructions."""
        self.uc.ctl_flush_tb()  # what was translated without counting would not count
        self.uc.emu_start(at | 1, STOP, count=count)
        return int(self.uc.reg_read(arm.UC_ARM_REG_PC)) == STOP

    def right(self, net: Net, call: int) -> bool:
        return bytes(self.uc.mem_read(net.outputs[call], len(net.expected[call]))) == net.expected[call]


def instructions(core: Core, net: Net, call: int) -> int:
    """Of a call."""
    count = 0

    def block(_uc: Any, _address: int, size: int, _data: Any) -> None:
        nonlocal count
        count += size // 4  # at least so many

    hook = core.uc.hook_add(unicorn.UC_HOOK_BLOCK, block)
    assert core.go(core.enter(net, call, RAM + RAM_BYTES - 64))
    core.uc.hook_del(hook)
    assert status(core) == 0 and core.right(net, call)
    return count


def status(core: Core) -> int:
    return int(core.uc.reg_read(arm.UC_ARM_REG_R0))


def interrupted(core: Core, outer: Net, inner: Net, after: int) -> None:
    """A call of `outer` that one of `inner` interrupts behind so many instructions, on the same stack."""
    if core.go(core.enter(outer, 0, RAM + RAM_BYTES - 64), after):
        raise AssertionError("it ended before it was interrupted")
    saved, at = core.uc.context_save(), int(core.uc.reg_read(arm.UC_ARM_REG_PC))
    stack = (int(core.uc.reg_read(arm.UC_ARM_REG_SP)) - FRAME) & ~7
    assert core.go(core.enter(inner, 1, stack)) and status(core) == 0
    core.uc.context_restore(saved)
    assert core.go(at) and status(core) == 0
    assert core.right(outer, 0) and core.right(inner, 1), f"interrupted behind {after} instructions"


@pytest.fixture(scope="module", params=["mps2-an386", "microbit"])
def core(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Core:
    return Core(request.param, tmp_path_factory.mktemp("preempted"))


@pytest.mark.slow
@pytest.mark.parametrize("inner", NETWORKS)
@pytest.mark.parametrize("outer", NETWORKS)
def test_two_networks_and_one_twice(core: Core, outer: str, inner: str) -> None:
    chance, length = random.Random(f"{outer} {inner}"), instructions(core, core.nets[outer], 0)
    instructions(core, core.nets[inner], 1)
    for _ in range(TIMES):
        interrupted(core, core.nets[outer], core.nets[inner], chance.randrange(1, length))


@pytest.mark.slow
def test_one_arena_for_both_is_seen(core: Core) -> None:
    net = core.nets["dense"]
    shared = replace(net, arenas=(net.arenas[0], net.arenas[0]))
    seen = 0
    for after in range(1_000, 80_000, 9_000):
        try:
            interrupted(core, shared, shared, after)
        except (AssertionError, unicorn.UcError):  # wrong outputs, or a pointer in the arena that leads elsewhere
            seen += 1
    assert seen > 0
