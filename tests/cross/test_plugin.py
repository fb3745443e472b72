"""The counting plugin against hand counts, unicorn, addr2line and SysTick."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import counting_images as images
import pytest

from edgekc.emulate import plugin
from edgekc.firmware.branches import return_addresses
from edgekc.firmware.elf import read_elf, run_ranges

MACHINES = {"cortex-m0": "microbit", "cortex-m3": "mps2-an385", "cortex-m4": "mps2-an386"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plugin")


def _bare(machine: str, image: Path) -> Callable[[tuple[str, ...]], None]:
    options = "-nographic -monitor none -serial none -semihosting-config enable=on,target=native -icount shift=0"
    return _runner("qemu-system-arm", "-M", machine, "-kernel", str(image), *options.split())


def _runner(qemu: str, *arguments: str, program: str | None = None) -> Callable[[tuple[str, ...]], None]:
    if shutil.which(qemu) is None:
        pytest.skip(f"{qemu} is not installed")

    def run(extra: tuple[str, ...]) -> None:
        command = [qemu, *arguments, *extra, *([program] if program else [])]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr

    return run


def _count(
    image: Path,
    lines: tuple[tuple[int, int], ...],
    run: Callable[[tuple[str, ...]], None],
    cache: Path,
    *,
    qemu: str = "qemu-system-arm",
    trace: bool = True,
) -> plugin.Counts:
    regions = plugin.image_regions(image, images.ARENA_BYTES) if trace else None
    counts = plugin.count(image, "tiny", lines, qemu, run, regions=regions, cache=cache)
    if isinstance(counts, plugin.Unavailable):
        pytest.skip(counts.reason)
    return counts


@pytest.mark.parametrize("trace", [False, True])
def test_counts_are_those_of_a_count_by_hand(tmp_path: Path, cache: Path, trace: bool) -> None:
    image = images.build_hand(tmp_path)
    run = _bare("mps2-an386", image)
    counts = _count(image, images.HAND_LAYER_LINES, run, cache, trace=trace)
    assert counts.outside.instructions == (images.HAND_OUTSIDE,) * 3
    assert [layer.instructions for layer in counts.layers] == [(n,) * 3 for n in images.HAND_LAYERS]
    assert counts.instructions == (images.HAND_OUTSIDE + sum(images.HAND_LAYERS),) * 3
    assert counts.stack_bytes == (images.HAND_STACK_BYTES if trace else None)
    loads_stores = [(layer.loads, layer.stores, layer.load_bytes, layer.store_bytes) for layer in counts.layers]
    assert loads_stores == ([(0, 0, 0, 0), (3, 3, 12, 12)] if trace else [(0, 0, 0, 0)] * 2)
    assert counts.violation_count == 0


def test_a_stray_access_is_reported(tmp_path: Path, cache: Path) -> None:
    image = images.build_hand(tmp_path, stray=True)
    counts = _count(image, images.HAND_LAYER_LINES, _bare("mps2-an386", image), cache)
    elf = read_elf(image)
    buffer, function = elf.symbol("input"), elf.symbol("framed")
    assert buffer is not None
    assert function is not None
    assert counts.violation_count == 3
    # 32 bytes of guard before the input, 272 into it; the load is framed's third instruction
    assert counts.violations == (
        plugin.Violation(1, "framed", function.address + 4, buffer.address + 32 + 272, 4, False),
    )


def test_a_write_to_what_is_read_only_is_reported(tmp_path: Path, cache: Path) -> None:
    image = images.build_hand(tmp_path)
    # As if the stack belonged to nobody: the push and framed's store are then stray.
    regions = [r for r in plugin.image_regions(image, images.ARENA_BYTES) if r.name != "stack"]
    regions.append(plugin.Region("stack", 0x20002000, 0x20004000, plugin.READ | plugin.STACK))
    run = _bare("mps2-an386", image)
    counts = plugin.count(image, "tiny", images.HAND_LAYER_LINES, "qemu-system-arm", run, regions=regions, cache=cache)
    if isinstance(counts, plugin.Unavailable):
        pytest.skip(counts.reason)
    assert counts.violation_count == 3 * 3
    assert {(v.layer, v.function, v.is_store) for v in counts.violations} == {
        (None, "tiny_run", True),
        (1, "framed", True),
    }


@pytest.mark.parametrize("core", sorted(MACHINES))
@pytest.mark.parametrize("optimize", ["-O2", "-Os", "-O0"])
def test_counts_equal_unicorns(tmp_path: Path, cache: Path, core: str, optimize: str) -> None:
    image = images.build_c(tmp_path, f"-mcpu={core}", "-mthumb", optimize)
    counts = _count(image, images.C_LAYER_LINES, _bare(MACHINES[core], image), cache)
    oracle = _unicorn(image, core.replace("-", "_").upper())
    assert counts.instructions == tuple(sum(calls.values()) for calls in oracle.instructions)
    for slot, layer in enumerate((counts.outside, *counts.layers)):
        assert layer.instructions == tuple(calls[slot] for calls in oracle.instructions)
        assert (layer.loads, layer.load_bytes) == (oracle.loads[slot], oracle.load_bytes[slot])
        assert (layer.stores, layer.store_bytes) == (oracle.stores[slot], oracle.store_bytes[slot])
    assert counts.stack_bytes == oracle.stack_bytes
    assert counts.violations == ()


class _Oracle:
    """What unicorn saw, by slot: 0 outside of the layers, i + 1 layer i."""

    def __init__(self) -> None:
        self.instructions: list[Counter[int]] = []  # per call
        self.loads, self.stores = Counter[int](), Counter[int]()
        self.load_bytes, self.store_bytes = Counter[int](), Counter[int]()
        self.slot, self.lowest = 0, 1 << 32
        self.stack_bytes = 0


def _unicorn(image: Path, model: str) -> _Oracle:
    """The calls of tiny_run that main makes, the layer of each of its instructions as addr2line says it."""
    unicorn = pytest.importorskip("unicorn")
    arm, oracle, elf = unicorn.arm_const, _Oracle(), read_elf(image)
    run = elf.symbol("tiny_run")
    assert run is not None
    pcs = range(run.address, run.address + run.size_bytes, 2)
    slots = dict(zip(pcs, _slots_by_addr2line(image, pcs), strict=True))
    uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB)
    uc.ctl_set_cpu_model(getattr(arm, f"UC_CPU_ARM_{model}"))
    uc.mem_map(0, 1 << 20)
    uc.mem_map(0x20000000, 1 << 20)
    for section in elf.sections:
        uc.mem_write(section.address, section.data)
    stop, top = 0x80000, 0x20004000

    # Counted by block, since unicorn's hook for code does not see an instruction of an IT block whose
    # condition fails; QEMU counts it as executed.
    def on_block(_uc: object, pc: int, size: int, _data: object) -> None:
        slot, end = oracle.slot, pc + size
        while pc < end:
            slot = slots.get(pc, slot)
            oracle.instructions[-1][slot] += 1
            first = int.from_bytes(uc.mem_read(pc, 2), "little")
            pc += 4 if first >> 11 in (0b11101, 0b11110, 0b11111) else 2

    def on_code(_uc: object, pc: int, _size: int, _data: object) -> None:
        oracle.slot = slots.get(pc, oracle.slot)

    def on_memory(_uc: object, access: int, address: int, size: int, _value: int, _data: object) -> None:
        if access == unicorn.UC_MEM_WRITE:
            oracle.stores[oracle.slot] += 1
            oracle.store_bytes[oracle.slot] += size
            if address >= 0x20002000:
                oracle.lowest = min(oracle.lowest, address)
        else:
            oracle.loads[oracle.slot] += 1
            oracle.load_bytes[oracle.slot] += size

    uc.hook_add(unicorn.UC_HOOK_BLOCK, on_block)
    uc.hook_add(unicorn.UC_HOOK_CODE, on_code)
    uc.hook_add(unicorn.UC_HOOK_MEM_READ | unicorn.UC_HOOK_MEM_WRITE, on_memory)
    buffers = [elf.symbol(name) for name in ("arena", "input", "output")]
    starts = [buffer.address + 32 for buffer in buffers if buffer is not None]
    for call in range(3):
        oracle.instructions.append(Counter())
        uc.mem_write(starts[1], bytes([call]))
        for register, value in zip((arm.UC_ARM_REG_R0, arm.UC_ARM_REG_R1, arm.UC_ARM_REG_R2), starts, strict=True):
            uc.reg_write(register, value)
        uc.reg_write(arm.UC_ARM_REG_SP, top)
        uc.reg_write(arm.UC_ARM_REG_LR, stop | 1)
        uc.emu_start(run.address | 1, stop, count=1_000_000)
    oracle.stack_bytes = top - oracle.lowest
    return oracle


def _slots_by_addr2line(image: Path, pcs: range) -> list[int]:
    tool = shutil.which("arm-none-eabi-addr2line")
    if tool is None:
        pytest.skip("arm-none-eabi-addr2line is not installed")
    done = subprocess.run([tool, "-e", str(image), *map(hex, pcs)], capture_output=True, text=True, check=True)
    lines = [int(line.split()[0].rpartition(":")[2]) for line in done.stdout.splitlines()]
    return [
        next((i + 1 for i, (first, last) in enumerate(images.C_LAYER_LINES) if first <= line <= last), 0)
        for line in lines
    ]


@pytest.mark.parametrize(
    ("compiler", "qemu", "flags"),
    [
        ("aarch64-linux-gnu-gcc", "qemu-aarch64", ()),
        ("arm-linux-gnueabihf-gcc", "qemu-arm", ("-mthumb",)),
        ("arm-linux-gnueabihf-gcc", "qemu-arm", ("-marm",)),
    ],
)
def test_linux_programs(tmp_path: Path, cache: Path, compiler: str, qemu: str, flags: tuple[str, ...]) -> None:
    image = images.build_c_linux(tmp_path, compiler, "-fno-tree-vectorize", *flags)
    counts = _count(image, images.C_LAYER_LINES, _runner(qemu, program=str(image)), cache, qemu=qemu)
    assert len(counts.instructions) == 3
    # ek_copy: 64 bytes, loaded and stored one by one, by a loop of 5 or 6 instructions
    assert counts.layers[2].stores == 3 * 64
    assert 64 * 5 <= counts.layers[2].instructions[0] <= 64 * 7
    assert counts.layers[0].store_bytes >= 3 * 200
    assert counts.stack_bytes is not None
    assert 64 + 8 <= counts.stack_bytes <= 200  # ek_sum's array, return addresses
    assert counts.violations == ()


def test_all_of_the_function_has_a_layer(tmp_path: Path) -> None:
    image = images.build_c(tmp_path, "-mcpu=cortex-m3", "-mthumb")
    run = read_elf(image).symbol("tiny_run")
    assert run is not None
    ranges = run_ranges(read_elf(image), "tiny", images.C_LAYER_LINES)
    assert ranges[0].low == run.address
    assert ranges[-1].high == run.address + run.size_bytes
    assert all(a.high == b.low for a, b in pairwise(ranges))
    assert {r.slot for r in ranges} == {0, 1, 2, 3}


def test_every_call_is_found_as_a_place_to_return_to(tmp_path: Path) -> None:
    image = images.build_c(tmp_path, "-mcpu=cortex-m3", "-mthumb")
    objdump = shutil.which("arm-none-eabi-objdump")
    if objdump is None:
        pytest.skip("arm-none-eabi-objdump is not installed")
    listing = subprocess.run([objdump, "-d", str(image)], capture_output=True, text=True, check=True).stdout
    calls = [line for line in listing.splitlines() if "<tiny_run>" in line and "\tbl\t" in line]
    expected = tuple(int(line.partition(":")[0], 16) + 4 for line in calls)
    assert expected
    assert return_addresses(read_elf(image), "tiny") == expected


def test_thumb_code_is_not_read_as_a32(tmp_path: Path) -> None:
    """Four bytes of a function that would be a jump to the network function as A32 code, 0xeafffffd."""
    source, image = tmp_path / "code.S", tmp_path / "code.elf"
    source.write_text(
        ".syntax unified\n.thumb\n"
        ".type tiny_run, %function\n.balign 4\ntiny_run: bx lr\nnop\n.size tiny_run, . - tiny_run\n"
        ".type ek_other, %function\nek_other: .hword 0xfffd, 0xeaff\nbx lr\nnop\n.size ek_other, . - ek_other\n"
        ".globl _start\n.type _start, %function\n_start: bl ek_other\nbl tiny_run\nb .\n.size _start, . - _start\n"
    )
    compiler = shutil.which("arm-none-eabi-gcc")
    if compiler is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    flags = ("-mcpu=cortex-m4", "-mthumb", "-nostdlib", "-Wl,-e,_start")
    subprocess.run([compiler, *flags, str(source), "-o", str(image)], check=True)
    elf = read_elf(image)
    start = elf.symbol("_start")
    assert start is not None
    assert return_addresses(elf, "tiny") == (start.address + 8,)


def test_the_plugin_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = plugin.build_plugin("qemu-system-arm", tmp_path)
    if isinstance(first, plugin.Unavailable):
        pytest.skip(first.reason)
    monkeypatch.setattr(plugin, "_compile", lambda *_: pytest.fail("built again"))
    assert plugin.build_plugin("qemu-system-arm", tmp_path) == first
    assert [path.name for path in tmp_path.iterdir()] == [first.name]


def test_callbacks_count_what_inline_counters_count(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """QEMU 9 and later have no plain inline counters; this is the code that serves them."""
    image = images.build_c(tmp_path, "-mcpu=cortex-m4", "-mthumb")
    run = _bare("mps2-an386", image)
    inline = _count(image, images.C_LAYER_LINES, run, cache)
    monkeypatch.setattr(plugin, "_CFLAGS", (*plugin._CFLAGS, "-DEKC_INLINE_COUNTERS=0"))
    assert _count(image, images.C_LAYER_LINES, run, cache) == inline


def test_without_qemu_or_symbols_it_says_why(tmp_path: Path, cache: Path) -> None:
    missing = plugin.build_plugin("qemu-system-nothing", cache)
    assert missing == plugin.Unavailable("qemu-system-nothing is not installed")
    image = images.build_c(tmp_path, "-mcpu=cortex-m4", "-mthumb", "-s")
    counts = plugin.count(
        image, "tiny", images.C_LAYER_LINES, "qemu-system-arm", lambda _: None, regions=None, cache=cache
    )
    assert isinstance(counts, plugin.Unavailable)
