"""From a folder of C to the result of an emulated core, on every board; and each way that it can go wrong."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from pathlib import Path

import pytest
from handmade import BODY, expected_layers, run_body, write_model

from edgekc.assets import RUNTIME_C
from edgekc.boards.board import Board, list_boards, load_board
from edgekc.emulate.device import DeviceRun, parse_trace, qemu_command, run_image
from edgekc.errors import CapacityError, ToolError, UsageError
from edgekc.firmware.build import Image, build_image
from edgekc.firmware.thumb import instruction_starts
from edgekc.firmware.toolchain import gcc_compiler, qemu_path

SAMPLES = bytes(range(100, 116)) + b"\x80" * 16 + b"\x7f" * 16 + bytes(16)
EXPECTED = [expected_layers(SAMPLES[at : at + 16]) for at in range(0, len(SAMPLES), 16)]
EMULATORS = [(name, emulator) for name in list_boards() for emulator in load_board(name).emulators]
# One of each instruction set; the first use of zig for a core builds its run-time library, which takes
# seconds (a minute on Linux targets). All boards when EDGEKC_TEST_ALL is set.
ZIG_BOARDS = ["microbit", "mps2-an386", "mps2-an505", "mps3-an547", "rv32imac"]
if os.environ.get("EDGEKC_TEST_ALL"):
    ZIG_BOARDS = list_boards()
BOTH = pytest.mark.parametrize("emulator", ["qemu", "unicorn"])


def need(board: Board, toolchain: str, emulator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chooses both, or skips and says what is missing."""
    if toolchain == "zig" and importlib.util.find_spec("ziglang") is None:
        pytest.skip("ziglang is not installed")
    if toolchain == "gcc" and gcc_compiler(board) is None:
        pytest.skip(f"GCC for {board.core.name} is not installed")
    if emulator == "qemu" and qemu_path(board) is None:
        pytest.skip("qemu is not installed")
    if emulator == "unicorn" and importlib.util.find_spec("unicorn") is None:
        pytest.skip("unicorn is not installed")
    monkeypatch.setenv("EDGEKC_TOOLCHAIN", toolchain)
    monkeypatch.setenv("EDGEKC_EMULATOR", emulator)


def build(tmp_path: Path, board: Board, body: str = BODY, *, arena: int = 64, trace: bool = False) -> Image:
    return build_image(write_model(tmp_path / "model", body, arena=arena), board, tmp_path / "out", trace=trace)


def run_statements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statements: str, emulator: str, name: str = "mps2-an386"
) -> DeviceRun:
    board = load_board(name)
    need(board, "gcc", emulator, monkeypatch)
    return run_image(build(tmp_path, board, run_body(statements)), SAMPLES, timeout_s=20)


def check_outputs(run: DeviceRun) -> None:
    assert run.samples == len(EXPECTED)
    assert run.outputs == b"".join(layers[-1] for layers in EXPECTED)


@pytest.mark.parametrize(("name", "emulator"), EMULATORS)
def test_every_board_computes_what_the_c_says(
    name: str, emulator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = load_board(name)
    need(board, "gcc", emulator, monkeypatch)
    run = run_image(build(tmp_path, board), SAMPLES, timeout_s=20)
    check_outputs(run)
    assert run.emulator == emulator
    if board.core.system == "linux":
        assert run.instructions is None
        assert run.peak_stack_bytes is None
    else:
        assert run.instructions is not None
        assert run.resolution is not None
        assert all(200 < count < 20_000 for count in run.instructions)
        assert run.peak_stack_bytes is not None
        assert 16 <= run.peak_stack_bytes < 512


@pytest.mark.parametrize("name", ZIG_BOARDS)
def test_zig_builds_the_same_program(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = load_board(name)
    need(board, "zig", "qemu", monkeypatch)
    image = build(tmp_path, board)
    assert image.compiler.startswith("zig cc ")
    assert image.map.stat().st_size > 0
    check_outputs(run_image(image, SAMPLES, timeout_s=20))


@pytest.mark.parametrize(("name", "emulator"), [("mps2-an386", "qemu"), ("microbit", "unicorn"), ("linux-arm", "qemu")])
def test_trace_build_records_each_layer(
    name: str, emulator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = load_board(name)
    need(board, "gcc", emulator, monkeypatch)
    run = run_image(build(tmp_path, board, trace=True), SAMPLES, timeout_s=20)
    check_outputs(run)
    assert list(run.trace) == [pair for layers in EXPECTED for pair in enumerate(layers)]


def test_trace_that_is_cut_short_is_refused() -> None:
    good = b"\x05\0\0\0\x02\0\0\0ab"
    assert parse_trace(good) == ((5, b"ab"),)
    for cut in (good[:-1], good[:7], good + b"\0"):
        with pytest.raises(ToolError, match="within a record"):
            parse_trace(cut)


LOOP = """
    uint32_t n = COUNT;
    __asm__ volatile(".syntax unified\\n1: subs %0, %0, #1\\n bne 1b\\n" : "+l"(n) : : "cc");
"""


@BOTH
def test_instructions_are_those_of_the_run(emulator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []
    for turns in (1000, 31_000):  # two instructions a turn
        run = run_statements(tmp_path / str(turns), monkeypatch, LOOP.replace("COUNT", str(turns)), emulator)
        assert run.instructions is not None
        assert run.resolution == (1 if emulator == "unicorn" else 40)
        assert len(set(run.instructions)) == 1  # the same for every sample
        counts.append(run.instructions[0])
    assert abs(counts[1] - counts[0] - 60_000) <= (0 if emulator == "unicorn" else 40)
    assert counts[0] < 2000 + 100  # nothing of the harness is in it


@pytest.mark.parametrize("name", ["microbit", "mps2-an386", "mps2-an505", "netduinoplus2"])
def test_both_emulators_count_the_same(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = load_board(name)
    need(board, "gcc", "unicorn", monkeypatch)
    image = build(tmp_path, board)
    exact = run_image(image, SAMPLES, timeout_s=20)
    need(board, "gcc", "qemu", monkeypatch)
    ticked = run_image(image, SAMPLES, timeout_s=20)
    assert exact.instructions is not None
    assert ticked.instructions is not None
    assert ticked.resolution is not None
    for one, other in zip(exact.instructions, ticked.instructions, strict=True):
        assert abs(one - other) <= ticked.resolution
    assert exact.peak_stack_bytes == ticked.peak_stack_bytes


def test_instructions_are_two_or_four_bytes() -> None:
    push_w, movw, vldr, nop, branch = "2de9f041", "40f20000", "9fed000a", "00bf", "fee7"
    code = bytes.fromhex(push_w + nop + movw + vldr + branch)
    assert instruction_starts(code) == [0, 4, 6, 10, 14]
    with pytest.raises(ToolError, match="within an instruction"):
        instruction_starts(bytes.fromhex(nop + push_w[:4]))


def test_unicorn_can_leave_out_the_counting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = load_board("mps2-an386")
    need(board, "gcc", "unicorn", monkeypatch)
    run = run_image(build(tmp_path, board), SAMPLES, timeout_s=20, count=False)
    check_outputs(run)
    assert run.instructions is None


def test_systick_may_wrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # 2**24 ticks of 168 MHz are 99.9 M instructions: this wraps twice.
    board = load_board("netduinoplus2")
    need(board, "gcc", "qemu", monkeypatch)
    image = build(tmp_path, board, run_body(LOOP.replace("COUNT", "110000000")))
    run = run_image(image, SAMPLES[:16], timeout_s=60)
    assert run.instructions is not None
    assert abs(run.instructions[0] - 220_000_000) < 200


@BOTH
def test_stack_is_that_of_the_run(emulator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "volatile uint8_t local[777]; for (int i = 0; i < 777; i++) { local[i] = 0; }"
    run = run_statements(tmp_path, monkeypatch, body, emulator)
    assert run.peak_stack_bytes is not None
    assert 777 <= run.peak_stack_bytes <= 777 + 64


WRONG = {
    "wrote past the arena": "((volatile uint8_t *)arena)[64] = 1;",
    "wrote before the arena": "((volatile uint8_t *)arena)[-1] = 1;",
    "wrote past the output": "((volatile uint8_t *)output)[16] = 1;",
    "wrote before the output": "((volatile uint8_t *)output)[-32] = 1;",
    "wrote past the input": "((volatile uint8_t *)(uintptr_t)input)[16] = 1;",
    "wrote before the input": "((volatile uint8_t *)(uintptr_t)input)[-1] = 1;",
    "changed its input": "((volatile uint8_t *)(uintptr_t)input)[5] ^= 1;",
    "did not return EKC_OK but 2": "return EKC_ERROR_ALIGNMENT;",
}


@pytest.mark.parametrize("message", WRONG)
@pytest.mark.parametrize("name", ["mps2-an386", "linux-aarch64"])
def test_a_run_that_breaks_its_contract_fails(
    message: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ToolError, match=message) as caught:
        run_statements(tmp_path, monkeypatch, WRONG[message], "qemu", name)
    assert name in str(caught.value)


def test_error_names_the_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "if (((const uint8_t *)input)[0] == 0x7f) { return EKC_ERROR_NULL; }"
    with pytest.raises(ToolError, match="sample 2: tiny_run did not return EKC_OK but 1"):
        run_statements(tmp_path, monkeypatch, body, "qemu")


# The boards have no memory there: 0xB0000000, but for the AN547, whose DRAM goes that far.
BAD_STORE = "*(volatile uint32_t *)BAD_ADDRESS = 1;"


@pytest.mark.parametrize(
    ("name", "emulator", "message"),
    [
        ("mps2-an386", "qemu", r"BusFault at pc=0x[0-9a-f]{8} .*CFSR=0x00008200.*BFAR=0xb0000000"),
        ("microbit", "qemu", r"HardFault at pc=0x[0-9a-f]{8} "),
        ("mps3-an547", "qemu", r"BusFault at pc=0x"),
        ("mps2-an386", "unicorn", r"the core stopped: .*write.* at pc=0x"),
        ("rv32imac", "qemu", r"store access fault at pc=0x8000[0-9a-f]{4} .*mtval=0xb0000000"),
        ("linux-arm", "qemu", r"ended with status -11: .*(SIGSEGV|signal 11)"),
    ],
)
def test_a_bad_address_is_reported(
    name: str, emulator: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = "0x0B000000u" if name == "mps3-an547" else "0xB0000000u"
    with pytest.raises(ToolError, match=message) as caught:
        run_statements(tmp_path, monkeypatch, BAD_STORE.replace("BAD_ADDRESS", bad), emulator, name)
    assert name in str(caught.value)
    assert "sample 0" in str(caught.value)


@BOTH
def test_an_undefined_instruction_is_reported(emulator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ToolError, match=r"UsageFault at pc=|undefined instruction at pc=|Invalid instruction"):
        run_statements(tmp_path, monkeypatch, '__asm__ volatile("udf #3");', emulator)


def test_dsp_code_does_not_run_on_a_core_without_dsp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # sxtb16 r0, r0, as its two halfwords. Not smlad, which QEMU 7.2 executes even on its M3: that code
    # for one core holds nothing of another is the compiler's -mcpu to see to.
    sxtb16 = '__asm__ volatile(".short 0xfa2f, 0xf080" : : : "r0");'
    run_statements(tmp_path / "m4", monkeypatch, sxtb16, "qemu", "mps2-an386")
    with pytest.raises(ToolError, match="UsageFault"):
        run_statements(tmp_path / "m3", monkeypatch, sxtb16, "qemu", "mps2-an385")


@BOTH
def test_a_hang_ends_with_the_time_limit(emulator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = load_board("mps2-an386")
    need(board, "gcc", emulator, monkeypatch)
    image = build(tmp_path, board, run_body("for (volatile int i = 0;;) { i = 1; }"))
    with pytest.raises(ToolError, match=r"did not finish within 1\.5 s, in sample 0"):
        run_image(image, SAMPLES, timeout_s=1.5)


@pytest.mark.parametrize("name", ["stm32vldiscovery", "mps2-an386"])
def test_a_stack_overflow_is_reported(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "extern uint32_t ek_stack_limit[]; for (volatile uint32_t *p = ek_stack_limit; p < ek_stack_limit + 4; p++)"
    with pytest.raises(ToolError, match="stack overflow"):
        run_statements(tmp_path, monkeypatch, body + " { *p = 0; }", "qemu", name)


@pytest.mark.parametrize("toolchain", ["gcc", "zig"])
def test_flash_overflow_names_region_and_bytes(toolchain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = load_board("microbit")
    need(board, toolchain, "qemu", monkeypatch)
    # One byte that is not zero, so that it is no .bss; a volatile read, so that it stays.
    body = "static const volatile uint8_t big[262144] = {1}; ((volatile uint8_t *)output)[0] = big[5];"
    with pytest.raises(CapacityError, match=r"flash of 262144 bytes by \d+ bytes") as caught:
        build(tmp_path, board, run_body(body))
    assert "microbit" in str(caught.value)


@pytest.mark.parametrize("toolchain", ["gcc", "zig"])
def test_ram_overflow_names_region_and_bytes(toolchain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = load_board("stm32vldiscovery")
    need(board, toolchain, "qemu", monkeypatch)
    build(tmp_path / "fits", board, arena=6400)
    with pytest.raises(CapacityError, match=r"ram of 8192 bytes by (\d+) bytes") as caught:
        build(tmp_path / "large", board, arena=9000)
    assert 1000 < int(str(caught.value).split(" by ")[1].split()[0]) < 3000


def test_a_large_arena_goes_to_the_second_ram(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = load_board("mps2-an386")
    need(board, "gcc", "qemu", monkeypatch)
    image = build(tmp_path, board, arena=6 * 1024 * 1024)
    assert "} > psram" in (tmp_path / "out" / "link.ld").read_text()
    check_outputs(run_image(image, SAMPLES, timeout_s=20))


@pytest.mark.parametrize("toolchain", ["gcc", "zig"])
def test_the_image_does_not_depend_on_where_it_is_built(
    toolchain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = load_board("mps2-an386")
    need(board, toolchain, "qemu", monkeypatch)
    first = build(tmp_path / "a", board)
    monkeypatch.chdir(tmp_path)  # debug information says where the compiler ran
    second = build(tmp_path / "elsewhere", board)
    assert second.elf.read_bytes() == first.elf.read_bytes()
    assert second.map.read_bytes() == first.map.read_bytes()
    usages = [[path.read_bytes() for path in image.stack_usage] for image in (first, second)]
    assert usages[0] == usages[1]


def test_debug_information_does_not_change_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = load_board("mps2-an386")
    need(board, "gcc", "qemu", monkeypatch)
    model = write_model(tmp_path / "model")
    images = []
    for name, flags in (("g", ()), ("g0", ("-g0",))):
        elf = build_image(model, board, tmp_path / name, extra_flags=flags).elf
        raw = elf.with_suffix(".bin")
        subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", str(elf), str(raw)], check=True)
        images.append(raw.read_bytes())
    assert images[0] == images[1]


def test_stack_usage_files_are_the_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = load_board("mps2-an386")
    need(board, "gcc", "qemu", monkeypatch)
    (usage,) = build(tmp_path, board).stack_usage
    assert "tiny_run" in usage.read_text()


def test_c_that_does_not_compile_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = load_board("mps2-an386")
    need(board, "gcc", "qemu", monkeypatch)
    with pytest.raises(ToolError, match=r"tiny\.c: .*error: .*undeclared_thing"):
        build(tmp_path, board, run_body("undeclared_thing = 1;"))
    with pytest.raises(ToolError, match=r"the linker failed: .*missing_function"):
        build(tmp_path / "link", board, run_body("extern void missing_function(void); missing_function();"))


def test_a_folder_that_is_not_generated_c_is_refused(tmp_path: Path) -> None:
    board = load_board("mps2-an386")
    with pytest.raises(UsageError, match=r"no manifest\.json in it; pass the folder"):
        build_image(tmp_path, board, tmp_path / "out")
    model = write_model(tmp_path / "model")
    header = model / "include" / "tiny.h"
    header.write_text(header.read_text().replace("TINY_ARENA_BYTES 64", "TINY_ARENA_BYTES sizeof(int)"))
    with pytest.raises(UsageError, match="TINY_ARENA_BYTES is not defined as a number"):
        build_image(model, board, tmp_path / "out")


def test_input_must_be_whole_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = load_board("mps2-an386")
    need(board, "gcc", "qemu", monkeypatch)
    image = build(tmp_path, board)
    with pytest.raises(UsageError, match="17 bytes of input are not a whole number of samples of 16"):
        run_image(image, bytes(17), timeout_s=5)
    assert run_image(image, b"", timeout_s=20).samples == 0


def test_qemu_arguments_reach_qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = load_board("mps2-an386")
    need(board, "gcc", "qemu", monkeypatch)
    image = build(tmp_path, board)
    assert qemu_command(image, ["-name", "x"])[-2:] == ["-name", "x"]
    with pytest.raises(ToolError, match="no-such-option"):
        run_image(image, SAMPLES, timeout_s=20, qemu_args=["-no-such-option"])


STRICT = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wpedantic", "-Werror"]


@pytest.mark.parametrize("name", ["microbit", "mps2-an386", "mps3-an547", "rv32imac", "linux-aarch64"])
@pytest.mark.parametrize("trace", [False, True])
def test_our_c_compiles_without_warnings(
    name: str, trace: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = load_board(name)
    need(board, "gcc", "qemu", monkeypatch)
    model = write_model(tmp_path / "model")
    flags = (*STRICT, *(["-DEKC_TRACE"] if trace else []))
    build_image(model, board, tmp_path / "out")
    port = RUNTIME_C / "port"
    bare, riscv = board.core.system == "bare", "riscv" in board.features
    sources = [port / f"ek_{'riscv' if riscv else 'cortexm' if bare else 'linux'}.c"]
    sources += [port / "ek_semihost.c", port / "ek_semihost_files.c"] if bare else []
    compiler = gcc_compiler(board)
    assert compiler is not None
    if riscv:
        flags += ("-ffreestanding", "-isystem", str(port / "freestanding"))
    for source in [*sources, port / "freestanding" / "ek_libc.c", *(tmp_path / "out").glob("*.c")]:
        includes = [f"-I{path}" for path in (model / "include", port, RUNTIME_C / "include")]
        command = [*compiler.command, *flags, *includes, "-c", str(source), "-o", str(tmp_path / "x.o")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
