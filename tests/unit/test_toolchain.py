"""Which compiler and emulator is taken, what is said when there is none, and `edgekc doctor`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from edgekc.api.boards import Fits
from edgekc.boards.board import load_board
from edgekc.cli.doctor import doctor as doctor_command
from edgekc.errors import ToolError, UsageError
from edgekc.firmware import toolchain


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is all of PATH, on a machine without the Python packages."""
    for variable in ("CC", "EDGEKC_TOOLCHAIN", "EDGEKC_EMULATOR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(toolchain, "_has_module", lambda name: False)
    toolchain._version.cache_clear()
    return tmp_path


def install(folder: Path, name: str, says: str = "tool (x 9.9) 1.2.3") -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return str(path)


def modules(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(toolchain, "_has_module", lambda name: name in names)


def test_gcc_is_taken_before_zig(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = load_board("mps2-an386")
    install(tools, "zig", "0.99")
    zig = toolchain.arm_compiler(board)
    assert zig.family == "zig"
    assert zig.version == "zig cc 0.99"
    assert zig.command == (str(tools / "zig"), "cc", *board.zig_flags)
    gcc_path = install(tools, "arm-none-eabi-gcc")
    gcc = toolchain.arm_compiler(board)
    assert (gcc.family, gcc.command) == ("gcc", (gcc_path, *board.gcc_flags))
    monkeypatch.setenv("EDGEKC_TOOLCHAIN", "zig")
    assert toolchain.arm_compiler(board).family == "zig"


def test_clang_is_taken_where_it_is_chosen_and_links_by_gcc(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = load_board("mps2-an386")
    clang, gcc = install(tools, "clang", "clang version 16"), install(tools, "arm-none-eabi-gcc")
    assert toolchain.arm_compiler(board).family == "gcc"
    monkeypatch.setenv("EDGEKC_TOOLCHAIN", "clang")
    chosen = toolchain.arm_compiler(board)
    assert (chosen.family, chosen.version) == ("clang", "clang version 16")
    assert chosen.command == (clang, "--target=arm-none-eabi", *board.gcc_flags)
    assert chosen.linker == (gcc, *board.gcc_flags)
    install(tools, "aarch64-linux-gnu-gcc")
    assert toolchain.arm_compiler(load_board("linux-aarch64")).command[1] == "--target=aarch64-linux-gnu"


def test_the_python_package_of_zig_is_enough(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its program where the package has one, which starts at once; else by the interpreter."""
    package, board = tools / "packages" / "ziglang", load_board("microbit")
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    modules(monkeypatch, "ziglang")
    monkeypatch.delitem(sys.modules, "ziglang", raising=False)
    monkeypatch.syspath_prepend(package.parent)
    assert toolchain.arm_compiler(board).command == (sys.executable, "-m", "ziglang", "cc", *board.zig_flags)
    zig = install(package, "zig", "0.99")
    compiler = toolchain.arm_compiler(board)
    assert (compiler.command, compiler.version) == ((zig, "cc", *board.zig_flags), "zig cc 0.99")


@pytest.mark.parametrize(
    ("board", "choice", "message"),
    [
        ("microbit", "auto", "arm-none-eabi-gcc and zig are both missing; pip install ziglang"),
        ("microbit", "gcc", "arm-none-eabi-gcc is missing; sudo apt-get install gcc-arm-none-eabi"),
        ("linux-arm", "gcc", "arm-linux-gnueabihf-gcc is missing; sudo apt-get install gcc-arm-linux-gnueabihf"),
        ("linux-aarch64", "zig", "zig is missing; pip install ziglang"),
        (
            "microbit",
            "clang",
            "clang is missing, or arm-none-eabi-gcc, .*; sudo apt-get install clang gcc-arm-none-eabi",
        ),
    ],
)
def test_no_compiler(board: str, choice: str, message: str, tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKC_TOOLCHAIN", choice)
    with pytest.raises(ToolError, match=message) as caught:
        toolchain.arm_compiler(load_board(board))
    assert caught.value.where == f"board {board}"


def test_linux_boards_take_their_own_gcc(tools: Path) -> None:
    install(tools, "arm-linux-gnueabihf-gcc")
    install(tools, "arm-none-eabi-gcc")
    assert "gnueabihf" in toolchain.arm_compiler(load_board("linux-arm")).command[0]
    with pytest.raises(ToolError, match="aarch64-linux-gnu-gcc"):
        toolchain.arm_compiler(load_board("linux-aarch64"))


@pytest.mark.parametrize("variable", ["EDGEKC_TOOLCHAIN", "EDGEKC_EMULATOR"])
def test_an_unknown_choice_is_refused(variable: str, tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "llvm")
    choose = toolchain.arm_compiler if variable == "EDGEKC_TOOLCHAIN" else toolchain.emulator
    with pytest.raises(UsageError, match=f"{variable}=llvm; use one of: auto, "):
        choose(load_board("microbit"))


def test_the_host_compiler(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ToolError, match="no C compiler on this machine; pip install ziglang"):
        toolchain.host_compiler()
    modules(monkeypatch, "ziglang")
    assert toolchain.host_compiler().family == "zig"
    clang = install(tools, "clang")
    assert toolchain.host_compiler().command == (clang,)
    gcc = install(tools, "gcc")
    assert toolchain.host_compiler().command == (gcc,)
    monkeypatch.setenv("CC", "clang -m32")
    assert toolchain.host_compiler() == toolchain.Compiler("clang", (clang, "-m32"), "tool (x 9.9) 1.2.3")
    monkeypatch.setenv("CC", "nocc")
    with pytest.raises(ToolError, match="CC=nocc: no such program"):
        toolchain.host_compiler()


def test_emulators_in_the_boards_order(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    m4, m55 = load_board("mps2-an386"), load_board("mps3-an547")
    with pytest.raises(ToolError, match=r"no emulator for cortex-m4f \(qemu, unicorn\); pip install unicorn"):
        toolchain.emulator(m4)
    with pytest.raises(ToolError, match="apt-get install qemu-system-arm"):
        toolchain.emulator(m55)
    modules(monkeypatch, "unicorn")
    assert toolchain.emulator(m4) == "unicorn"
    install(tools, "qemu-system-arm")
    assert toolchain.emulator(m4) == toolchain.emulator(m55) == "qemu"
    monkeypatch.setenv("EDGEKC_EMULATOR", "unicorn")
    assert toolchain.emulator(m4) == "unicorn"
    with pytest.raises(ToolError, match="EDGEKC_EMULATOR=unicorn, and this board runs on: qemu"):
        toolchain.emulator(m55)


def test_user_mode_qemu_may_be_the_static_one(tools: Path) -> None:
    board = load_board("linux-aarch64")
    assert toolchain.qemu_path(board) is None
    path = install(tools, "qemu-aarch64-static")
    assert toolchain.qemu_path(board) == path


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("arm-none-eabi-gcc (15:12.2.rel1-1) 12.2.1 20221205", "12.2.1"),
        ("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)", "7.2.22"),
        ("Open On-Chip Debugger 0.12.0", "0.12.0"),
        ("no number", "no number"),
    ],
)
def test_version_numbers(line: str, number: str) -> None:
    assert toolchain._number(line) == number


def test_a_tool_that_does_not_run_has_no_version(tools: Path) -> None:
    assert toolchain._version(str(tools / "absent"), "--version") == ""


def test_fit_leaves_out_boards_without_a_compiler(tools: Path) -> None:
    """Unless they were asked for: one GCC does not know all cores."""
    install(tools, "arm-none-eabi-gcc")
    assert [toolchain.has_compiler(load_board(name)) for name in ("microbit", "rv32imac")] == [True, False]
    assert "No compiler is here for rv32imac" in str(Fits("net", (), ("rv32imac",)).parts())


def test_gcc_finds_its_library_for_a_risc_v_core_with_extensions(tools: Path) -> None:
    """Its driver knows no library for an architecture with them, and takes that for 64 bits."""
    path = install(tools, "riscv64-unknown-elf-gcc")
    found = toolchain.arm_compiler(load_board("rv32imc-zba-zbb"))
    assert found.command == (path, "-march=rv32imc_zba_zbb", "-mabi=ilp32")
    assert found.linker == (path, "-march=rv32imc", "-mabi=ilp32")


def test_doctor_on_a_bare_machine(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "_module", _absent)
    findings = {finding.tool: finding for finding in toolchain.doctor()}
    for tool in ("Arm compiler", "Arm emulator", "host compiler"):
        assert findings[tool].required
        assert not findings[tool].found
    assert findings["Arm compiler"].install == "pip install ziglang"
    for finding in findings.values():
        assert finding.purpose
        assert not finding.found
        assert finding.install.startswith(("pip install ", "sudo apt-get install ")), finding
    result = CliRunner().invoke(_app(), [])
    assert result.exit_code == 2
    assert "pip install ziglang" in result.output


def test_doctor_counts_any_of_several_tools(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "_module", _absent)
    for name in ("arm-none-eabi-gcc", "qemu-system-arm", "cc"):
        install(tools, name)
    findings = {finding.tool: finding for finding in toolchain.doctor()}
    assert findings["Arm compiler"].version == "arm-none-eabi-gcc 1.2.3"
    assert findings["Arm emulator"].version == "qemu-system-arm 1.2.3"
    assert findings["host compiler"].path == str(tools / "cc")
    result = CliRunner().invoke(_app(), ["--json"])
    assert result.exit_code == 0
    shown = {entry["tool"]: entry for entry in json.loads(result.output)}
    assert shown["arm-none-eabi-gcc"]["found"] is True
    assert shown["arm-none-eabi-gcc"]["path"] == os.path.join(str(tools), "arm-none-eabi-gcc")
    assert shown["openocd"]["found"] is False


def test_doctor_finds_installed_packages() -> None:
    found = toolchain._module("pytest", "pytest", "tests", "pip install pytest")
    assert found.found
    assert found.version == pytest.__version__
    assert not toolchain._module("no-such", "no_such_module", "x", "pip install no-such").found


def _absent(package: str, module: str, purpose: str, install: str, *, required: bool = False) -> toolchain.Finding:
    return toolchain.Finding(package, purpose, False, "", "", install, required)


def _app() -> typer.Typer:
    app = typer.Typer()
    app.command()(doctor_command)
    return app
