"""Flashing: exact commands, what each tool's words mean, and the comparison of what was read back."""

from __future__ import annotations

import importlib.util
import shlex
import shutil
import struct
from pathlib import Path

import fake_tools
import pytest
from portable_target import portable
from typer.testing import CliRunner

from edgekc.boards.board import Board, list_boards, load_board
from edgekc.cli.main import app
from edgekc.errors import BoardError, CapacityError, EdgekcError, FlashError, UsageError
from edgekc.files.output import write_folder
from edgekc.firmware.folder import build_firmware, firmware_folder
from edgekc.flashing import problems, run, uf2, usb
from edgekc.flashing.records import Job, Step
from edgekc.pipeline import compile_model

DATA = Path(__file__).resolve().parents[2] / "edgekc" / "demo" / "data"
REAL = [name for name in list_boards() if load_board(name).probe is not None]
BARE = [name for name in REAL if load_board(name).core.system == "bare"]
needs_gcc = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("digits") / "out"
    target = portable()
    write_folder(compile_model(DATA / "digits_int8.tflite", "digits", target).files, folder)
    return folder


def job_for(board: Board, folder: Path, data: bytes = bytes(range(64)), **changes: object) -> Job:
    """A job whose image needs no compiler."""
    folder.mkdir(exist_ok=True)
    (folder / "image.bin").write_bytes(data)
    values: dict[str, object] = dict(
        board=board, folder=folder, elf="x.elf", image="image.bin", base=0x08000000, size_bytes=len(data),
        readback="readback.bin", chip="chip.bin", probe="", openocd_config=None, options=(),
    )  # fmt: skip
    return Job(**{**values, **changes})  # type: ignore[arg-type]


def flash_fails(tool: str, job: Job, timeout_s: float = 20.0) -> FlashError:
    with pytest.raises(FlashError) as caught:
        run.flash(run.TOOLS[tool], job, timeout_s=timeout_s, log=lambda _: None)
    line = str(caught.value)
    assert "\n" not in line and len(line) < 500
    return caught.value


# What each tool printed, and what it means. Those marked * are recorded from the tool itself.
RECORDED = [
    ("pyocd", "No connected debug probes\n0000774 E No target device available [load_cmd]", "no-probe"),  # *
    ("pyocd", "No connected debug probe matches unique ID '123'\nE No target device available", "no-probe"),  # *
    ("pyocd", "0000772 C Error: [Errno 111] Connection refused [__main__]", "no-probe"),  # *
    ("pyocd", "Enter the number of the debug probe or 'q' to quit> EOFError", "two-probes"),
    ("pyocd", "More than one debug probe matches unique ID '06':\n a | 066\n b | 067", "two-probes"),
    (
        "pyocd",
        "C Target type stm32l4r5zitx not recognized. Use 'pyocd list --targets' to see currently available",
        "unknown-target",
    ),
    ("pyocd", "W NRF52840 APPROTECT enabled: not automatically unlocking", "locked"),
    ("pyocd", "C Error: No ACK received [__main__]", "no-power"),
    ("pyocd", "C flash erase sector failure (address 0x08000000; result code 0x1)", "refused"),
    ("openocd", "Info : clock speed 500 kHz\nError: open failed\n", "no-probe"),  # *
    ("openocd", "Error: unable to find a matching CMSIS-DAP device\n", "no-probe"),  # *
    ("openocd", "Error: No J-Link device found.\n", "no-probe"),  # *
    ("openocd", "Error: JTAG-DP STICKY ERROR\nError: stm32x device protected\n", "locked"),
    ("openocd", "Warn : Cannot identify target as a STM32L4 family device.\n", "wrong-chip"),
    ("openocd", "Error: JTAG tap: x.cpu expected 1 of 1: 0x4ba00477\n", "wrong-chip"),
    ("openocd", "Warn : no flash bank found for address 0x09000000\n", "too-large"),
    ("openocd", "Error: checksum mismatch - attempting binary compare\n", "verify"),
    ("openocd", "Error: init mode failed (unable to connect to the target)\n", "no-power"),
    ("gdb", "127.0.0.1:9: Connection timed out.\n", "no-probe"),
    ("gdb", 'Section .text, range 0x0 -- 0x10: MIS-MATCHED!\n', "verify"),
    ("gdb", "Remote connection closed\n", "lost"),
    ("stlink", "ERROR common.c: Couldn't find any ST-Link devices\n", "no-probe"),
    ("adb", "adb: error: failed to get feature set: no devices/emulators found\n", "no-probe"),
    ("adb", "error: more than one device/emulator\n", "two-probes"),
    ("adb", "adb: error: device unauthorized.\n", "locked"),
    ("ssh", "ssh: Could not resolve hostname pi: Name or service not known\n", "no-probe"),
    ("ssh", "pi@pi: Permission denied (publickey,password).\n", "locked"),
    ("ssh", "scp: write remote \"x\": No space left on device\n", "too-large"),
    ("pyocd", "something that nobody has seen before", "failed"),
]  # fmt: skip


@pytest.mark.parametrize(("tool", "said", "problem"), RECORDED)
def test_what_a_tool_says_becomes_one_clear_error(tool: str, said: str, problem: str, tmp_path: Path) -> None:
    job = job_for(load_board("nucleo-l4r5zi"), tmp_path)
    error = problems.diagnose(run.TOOLS[tool], job, Step("program", ("tool",)), said, 1)
    assert error.problem == problem
    assert error.where.startswith("board nucleo-l4r5zi, program")
    assert error.fix
    assert "\n" not in str(error) and "{" not in str(error)


def test_every_problem_has_its_own_message() -> None:
    whats = [what for what, _ in problems._TEXTS.values()]
    assert len(set(whats)) == len(whats) >= 13


@pytest.mark.parametrize("name", list_boards())
def test_every_board_says_how_it_is_programmed(name: str) -> None:
    board = load_board(name)
    for tool in board.flash_tools:
        assert tool in run.TOOLS
    if board.probe is not None and "pyocd" in board.probe.tools and importlib.util.find_spec("pyocd"):
        from pyocd.target import TARGET

        assert board.probe.pyocd_pack == (board.probe.pyocd_target not in TARGET), board.probe.pyocd_target
    if board.probe is not None and shutil.which("openocd"):
        scripts = Path("/usr/share/openocd/scripts")
        files = [file for file in board.probe.openocd if file.endswith(".cfg")]
        assert not scripts.is_dir() or all((scripts / file).is_file() for file in files)


@pytest.mark.parametrize("tool", run.TOOLS)
def test_every_tool_runs_its_own_programs_on_the_image(tool: str, tmp_path: Path) -> None:
    job = job_for(load_board("nucleo-l4r5zi"), tmp_path)
    steps = run.TOOLS[tool].steps(job)
    words = [word for step in steps for word in step.command]
    assert {step.command[0] for step in steps} <= set(run.TOOLS[tool].programs)
    assert any(name in word for word in words for name in (job.image, job.elf, "image.uf2")), words
    assert not run.TOOLS[tool].reads_back or any(job.readback in word for word in words)


@needs_gcc
@pytest.mark.parametrize("name", BARE)
def test_dry_run_prints_the_exact_commands(name: str, compiled: Path) -> None:
    board = load_board(name)
    assert board.probe is not None
    for tool in board.probe.tools:
        done = CliRunner().invoke(app, ["flash", str(compiled), "--board", name, "--tool", tool, "--dry-run"])
        assert done.exit_code == 0, done.output
        first, *lines = done.stdout.splitlines()
        assert first == f"cd {compiled.resolve()}/build/{name}"
        text = "\n".join(lines)
        programs = {shlex.split(line)[0] for line in lines}
        assert programs == set(run.TOOLS[tool].programs)
        if tool == "pyocd":
            assert f"--target {board.probe.pyocd_target}" in text
        if tool in ("pyocd", "openocd", "stlink"):
            assert f"0x{board.flash.origin:08x}" in text
            assert "readback.bin" in text
        assert not (compiled / "build" / name / "readback.bin").exists()


@needs_gcc
@pytest.mark.parametrize("name", BARE)
def test_the_image_starts_with_stack_and_reset_vector(name: str, compiled: Path) -> None:
    board = load_board(name)
    build_firmware(compiled, board)
    data = (compiled / "build" / name / "image.bin").read_bytes()
    vectors = 256 if board.boot == "rp2040" else 0
    if "riscv" in board.features:
        assert data[:2] == bytes.fromhex("1721")  # AUIPC sp: the program itself is first
    else:
        stack, reset = struct.unpack_from("<II", data, vectors)
        assert stack == board.ram.end
        assert reset & 1 and board.flash.origin < reset < board.flash.end
    definition = {"rp2350": 0x10210142, "rp2350-riscv": 0x11010142}.get(board.boot)
    if definition is not None:
        assert struct.pack("<5I", 0xFFFFDED3, definition, 0x1FF, 0, 0xAB123579) in data[:4096]


@needs_gcc
@pytest.mark.parametrize("name", ["netduinoplus2", "mps2-an386", "lm3s6965evb", "mps2-an505"])
def test_gdb_loads_into_qemu_and_reads_back(name: str, compiled: Path) -> None:
    for program in ("gdb-multiarch", "qemu-system-arm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    done = CliRunner().invoke(app, ["flash", str(compiled), "--board", name])
    assert done.exit_code == 0, done.output
    built = compiled / "build" / name
    assert (built / "readback.bin").read_bytes() == (built / "image.bin").read_bytes()
    assert "read back and equal" in done.stdout


@needs_gcc
def test_a_compiled_folder_with_builds_can_be_written_again(compiled: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(compiled, folder)
    shutil.rmtree(folder / "build", ignore_errors=True)
    build_firmware(folder, load_board("nucleo-f446re"))
    files = compile_model(DATA / "digits_int8.tflite", "digits", portable()).files
    write_folder(files, folder)
    assert not (folder / "build").exists()
    build_firmware(folder, load_board("nucleo-f446re"))
    (folder / "build" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"other files in it, build/notes\.txt"):
        write_folder(files, folder)


# A tool that programs and reads faithfully; each test below breaks one thing.
GOOD_PYOCD = """
words = " ".join(arguments)
if "0xe0042000" in words:
    pathlib.Path("chip.bin").write_bytes(bytes.fromhex("70640010"))
elif "readback.bin" in words:
    shutil.copyfile("image.bin", "readback.bin")
"""


@pytest.fixture
def no_pyocd_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_MODULES", frozenset())


@pytest.mark.usefixtures("no_pyocd_module")
def test_a_faithful_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_tools.install(tmp_path / "bin", monkeypatch, pyocd=GOOD_PYOCD)
    job = job_for(load_board("nucleo-l4r5zi"), tmp_path / "work")
    seen: list[str] = []
    done = run.flash(run.TOOLS["pyocd"], job, timeout_s=20, log=seen.append)
    assert done.read_back and done.size_bytes == 64
    assert [line.partition(":")[0] for line in seen] == ["identify the chip", "program", "read back"]


BROKEN = {
    "wrong chip": ("70640010", "21640010", "wrong-chip", "0x00000421, expected 0x00000470"),
    "one bit differs": (
        'shutil.copyfile("image.bin", "readback.bin")',
        'd = bytearray(pathlib.Path("image.bin").read_bytes()); d[5] ^= 4; pathlib.Path("readback.bin").write_bytes(d)',
        "verify",
        "1 of 64 bytes differ, the first at 0x08000005: 0x01 instead of 0x05",
    ),
    "cut short": (
        'shutil.copyfile("image.bin", "readback.bin")',
        'pathlib.Path("readback.bin").write_bytes(b"abc")',
        "verify",
        "3 bytes came back of 64",
    ),
    "nothing read, and no complaint": ('shutil.copyfile("image.bin", "readback.bin")', "pass", "failed", "status 0"),
    "no chip id, and no complaint": (
        'pathlib.Path("chip.bin").write_bytes(bytes.fromhex("70640010"))', "pass", "failed", "identify the chip",
    ),
    "lost in the middle": (
        'shutil.copyfile("image.bin", "readback.bin")',
        'sys.exit("C Error: [Errno 32] Broken pipe")',
        "lost",
        "lost in the middle",
    ),
    "hangs": ('elif "readback.bin" in words:', 'elif "load" == arguments[0]:\n    time.sleep(60)\nelse:', "timeout",
              "did not end within 2 s"),
    "hangs after saying why": (
        'elif "readback.bin" in words:',
        'elif "load" == arguments[0]:\n    print("No connected debug probes", flush=True); time.sleep(60)\nelse:',
        "no-probe",
        "no probe",
    ),
}  # fmt: skip


@pytest.mark.usefixtures("no_pyocd_module")
@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_run_is_told_apart(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new, problem, words = BROKEN[case]
    assert old in GOOD_PYOCD
    fake_tools.install(tmp_path / "bin", monkeypatch, pyocd=GOOD_PYOCD.replace(old, new))
    job = job_for(load_board("nucleo-l4r5zi"), tmp_path / "work")
    error = flash_fails("pyocd", job, timeout_s=2 if "hang" in case else 20)
    assert error.problem == problem
    assert words in str(error)


@pytest.mark.usefixtures("no_pyocd_module")
def test_an_old_readback_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = GOOD_PYOCD.replace('shutil.copyfile("image.bin", "readback.bin")', "pass")
    fake_tools.install(tmp_path / "bin", monkeypatch, pyocd=body)
    job = job_for(load_board("nucleo-l4r5zi"), tmp_path / "work")
    shutil.copyfile(job.folder / "image.bin", job.folder / "readback.bin")
    assert flash_fails("pyocd", job).problem == "failed"


@pytest.mark.usefixtures("no_pyocd_module")
def test_a_missing_tool_names_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    error = flash_fails("pyocd", job_for(load_board("nucleo-l4r5zi"), tmp_path / "work"))
    assert error.problem == "no-tool"
    assert "pip install 'edgekc[flash]'" in error.fix and "openocd, stlink" in error.fix


def test_two_probes_stop_tools_that_would_take_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    devices = tmp_path / "usb"
    for name, vendor, product, text, serial in (
        ("1-1", "0483", "374b", "STM32 STLink", "066A"),
        ("1-2", "2e8a", "000c", "Debugprobe on Pico (CMSIS-DAP)", "E66"),
        ("1-3", "046d", "c31c", "Keyboard", ""),
    ):
        (devices / name).mkdir(parents=True)
        for key, value in (("idVendor", vendor), ("idProduct", product), ("product", text), ("serial", serial)):
            (devices / name / key).write_text(value + "\n")
    assert usb.probes(devices) == ("066A", "E66")
    fake_tools.install(tmp_path / "bin", monkeypatch, openocd="sys.exit('not to be started')")
    monkeypatch.setattr(usb, "probes", lambda: ("066A", "E66"))
    error = flash_fails("openocd", job_for(load_board("nucleo-l4r5zi"), tmp_path / "work"))
    assert error.problem == "two-probes" and "066A, E66" in str(error)
    named = job_for(load_board("nucleo-l4r5zi"), tmp_path / "work", probe="066A")
    assert "not to be started" in str(flash_fails("openocd", named))


def test_tools_that_cannot_do_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--tool jlink: no such tool; use one of: pyocd, openocd, stlink"):
        run.choose_tool(load_board("nucleo-l4r5zi"), "jlink")
    with pytest.raises(UsageError, match="--tool adb: it cannot program nucleo-l4r5zi"):
        run.choose_tool(load_board("nucleo-l4r5zi"), "adb")
    with pytest.raises(BoardError, match="cannot be programmed"):
        run.choose_tool(load_board("linux-arm"))


@needs_gcc
def test_an_image_beyond_the_flash_is_refused(compiled: Path, tmp_path: Path) -> None:
    text, _, _ = load_board("nucleo-f446re").path.read_text().partition("\n[updates]")
    small = tmp_path / "board.toml"
    small.write_text(text.replace("size_bytes = 524288", "size_bytes = 8192"))
    with pytest.raises(CapacityError, match=r"overflows flash of 8192 bytes by \d+ bytes"):
        build_firmware(compiled, load_board(small))


# ---- UF2 ----


def decode_uf2(data: bytes, family: int) -> dict[int, bytes]:
    """Address to payload, by the format's specification (github.com/microsoft/uf2), written for this test."""
    assert data and len(data) % 512 == 0
    found = {}
    for number in range(len(data) // 512):
        block = data[512 * number : 512 * number + 512]
        magic0, magic1, flags, address, size, index, count, tag = struct.unpack_from("<8I", block)
        assert (magic0, magic1) == (0x0A324655, 0x9E5D5157)
        assert struct.unpack_from("<I", block, 508)[0] == 0x0AB16F30
        assert flags & 0x2000 and tag == family
        assert (index, count) == (number, len(data) // 512)
        assert size == 256 and address % 256 == 0
        found[address] = block[32 : 32 + size]
    return found


@pytest.mark.skipif(importlib.util.find_spec("uf2utils") is None, reason="uf2utils is not installed")
@pytest.mark.parametrize("name", [n for n in BARE if "uf2" in load_board(n).flash_tools])
@pytest.mark.parametrize("size", [1, 256, 1000])
def test_a_uf2_file_holds_the_image(name: str, size: int, tmp_path: Path) -> None:
    board = load_board(name)
    assert board.probe is not None and board.probe.uf2_family is not None
    data = bytes(i * 7 % 251 for i in range(size))
    job = job_for(board, tmp_path, data, base=board.flash.origin)
    blocks = decode_uf2(uf2.write_uf2(job).read_bytes(), board.probe.uf2_family)
    flat = b"".join(blocks[address] for address in sorted(blocks))
    assert sorted(blocks) == list(range(board.flash.origin, board.flash.origin + len(flat), 256))
    assert flat == data + b"\xff" * (-len(data) % 256)


@pytest.mark.skipif(importlib.util.find_spec("uf2utils") is None, reason="uf2utils is not installed")
def test_uf2_drives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = load_board("rpi-pico")
    monkeypatch.setattr(uf2, "drives", lambda: tuple(sorted(p.parent for p in tmp_path.glob("*/INFO_UF2.TXT"))))
    job = job_for(board, tmp_path / "work", base=board.flash.origin)
    assert flash_fails("uf2", job).problem == "no-probe"
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "INFO_UF2.TXT").write_text("UF2 Bootloader v1.0\nModel: Raspberry Pi RP2350\nBoard-ID: RP2350\n")
    assert flash_fails("uf2", job).problem == "wrong-chip"
    (tmp_path / "a" / "INFO_UF2.TXT").write_text("UF2 Bootloader v3.0\nModel: Raspberry Pi RP2\nBoard-ID: RPI-RP2\n")
    done = run.flash(uf2.TOOL, job, timeout_s=20, log=lambda _: None)
    assert not done.read_back
    assert (tmp_path / "a" / "image.uf2").read_bytes() == (tmp_path / "work" / "image.uf2").read_bytes()
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert flash_fails("uf2", job).problem == "two-probes"


def test_errors_are_the_users() -> None:
    """The command line prints them on one line and exits with 2."""
    assert issubclass(FlashError, EdgekcError)


def test_the_firmware_folder(tmp_path: Path) -> None:
    board = load_board("nucleo-l4r5zi")
    assert firmware_folder(tmp_path, board, None) == tmp_path / "build" / "nucleo-l4r5zi"
    assert firmware_folder(tmp_path, board, tmp_path / "x") == tmp_path / "x"
    kinds = [firmware_folder(tmp_path, board, None, link=link, optimise=optimise)
             for link in ("", "rtt") for optimise in ("speed", "size")]  # fmt: skip
    assert [path.name.removeprefix("nucleo-l4r5zi") for path in kinds] == ["", "-size", "-rtt", "-rtt-size"]
