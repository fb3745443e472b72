"""The ledger by layer sums to the ELF on every board; stack bounds hold; budgets and comparisons."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from portable_target import portable
from typer.testing import CliRunner

from edgekc.boards.board import list_boards, load_board
from edgekc.cli.main import app
from edgekc.errors import CapacityError, VerifyError
from edgekc.files.output import read_manifest, write_folder
from edgekc.firmware.branches import indirect_calls
from edgekc.firmware.build import build_image
from edgekc.firmware.elf import read_elf
from edgekc.firmware.toolchain import gcc_compiler
from edgekc.measure.by_layer import OUTSIDE, split_flash, split_ram
from edgekc.measure.ledger import embedded_sections, read_ledger
from edgekc.measure.stack import StackBound, check_stack, stack_bound
from edgekc.pipeline import compile_model, target_of

DATA = Path(__file__).resolve().parents[2] / "edgekc" / "demo" / "data"
PROGRAMS = [name for name in list_boards() if load_board(name).core.system != "library"]
BARE = [name for name in PROGRAMS if load_board(name).core.system == "bare"]
CHOICES = [("gcc", name) for name in PROGRAMS] + [("zig", name) for name in ("mps2-an386", "rpi-pico", "mps2-an505")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("digits") / "out"
    target = portable()
    write_folder(compile_model(DATA / "digits_int8.tflite", "digits", target).files, out)
    return out


def choose(family: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if family == "zig" and importlib.util.find_spec("ziglang") is None:
        pytest.skip("ziglang is not installed")
    monkeypatch.setenv("EDGEKC_TOOLCHAIN", family)
    if family == "gcc" and gcc_compiler(load_board(name)) is None:
        pytest.skip(f"GCC for {name} is not installed")


@pytest.mark.parametrize(("family", "name"), CHOICES)
def test_the_ledger_by_layer_sums_to_the_elf(
    family: str, name: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(family, name, monkeypatch)
    check_ledger(folder, name, tmp_path)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_ledger_of_a_board_s_own_kernels(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all of them read laid-out constants, the linker drops the packed model, and `measure` failed on that."""
    choose("gcc", name, monkeypatch)
    board = load_board(name)
    write_folder(compile_model(DATA / "digits_int8.tflite", "digits", target_of(board)).files, tmp_path / "out")
    check_ledger(tmp_path / "out", name, tmp_path / "build")


def check_ledger(folder: Path, name: str, out: Path) -> None:
    """Flash and RAM by layer sum up to the image's, and name each layer's constants where they are linked."""
    image = build_image(folder, load_board(name), out)
    manifest = read_manifest(folder)
    ledger = read_ledger(image, manifest["arena_bytes"], embedded_sections(manifest))
    flash = split_flash(image, read_elf(image.elf), ledger, manifest, folder / "digits.ekc")
    ram = split_ram(image, read_elf(image.elf), ledger, manifest["arena_bytes"])
    loaded = writable = 0
    with image.elf.open("rb") as file:
        for section in ELFFile(file).iter_sections():
            if section["sh_flags"] & SH_FLAGS.SHF_ALLOC:
                loaded += section["sh_size"] * (section["sh_type"] != "SHT_NOBITS")
                writable += section["sh_size"] * bool(section["sh_flags"] & SH_FLAGS.SHF_WRITE)
    assert sum(row.size_bytes for row in flash) == loaded
    assert sum(row.size_bytes for row in ram) == writable
    assert all(row.size_bytes > 0 for row in flash)
    linked = read_elf(image.elf).symbol("digits_ekc") is not None
    for layer in manifest["layers"]:
        mine = {row.kind: row.size_bytes for row in flash if row.layer == layer["name"]}
        named = sum(
            mine.get(kind, 0) for kind in ("weights", "bias", "requant", "codebook", "index", "pairs", "centers")
        )
        once = linked and not layer["laid_out_bytes"]  # what is laid out is there once
        assert named == (layer["constant_bytes"] if once else 0)
        assert mine["layer tables"] >= 8 and mine["code"] >= 4
    rest = sum(row.size_bytes for row in flash if row.layer == OUTSIDE)
    assert sum(row.size_bytes for row in flash) - rest == ledger.model_flash_bytes


@pytest.mark.parametrize("name", BARE)
def test_the_stack_bound_is_known(name: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choose("gcc", name, monkeypatch)
    bound = stack_bound(build_image(folder, load_board(name), tmp_path))
    assert bound.size_bytes is not None, bound.reason
    assert bound.path[0][0] == "digits_run"
    assert sum(size for _, size in bound.path) == bound.size_bytes
    assert 200 < bound.size_bytes < 1000


def replaced(folder: Path, to: Path, old: str, new: str) -> Path:
    shutil.copytree(folder, to)
    source = to / "src" / "digits.c"
    assert old in source.read_text()
    source.write_text(source.read_text().replace(old, new, 1))
    return to


def test_assembly_that_saves_vector_registers_is_counted(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A naked function has no frame for the compiler; VPUSH of high registers was taken for something else once."""
    choose("gcc", "mps2-an386", monkeypatch)
    leaf = (
        "__attribute__((noinline, naked)) static void leaf(void)"
        ' { __asm__ volatile("push {r4, r5, lr}\\n vpush {d8, d9, d10}\\n sub sp, #504\\n add sp, #504\\n"'
        ' "vpop {d8, d9, d10}\\n pop {r4, r5, pc}"); }\n'
        "ekc_status digits_run("
    )
    changed = replaced(folder, tmp_path / "naked", "ekc_status digits_run(", leaf)
    text = (changed / "src" / "digits.c").read_text()
    (changed / "src" / "digits.c").write_text(text.replace("    return EKC_OK;", "    leaf();\n    return EKC_OK;"))
    bound = stack_bound(build_image(changed, load_board("mps2-an386"), tmp_path / "out"))
    assert bound.path[1] == ("leaf", 12 + 24 + 504)


def test_assembly_that_goes_on_into_another_function_is_counted(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in libgcc's comparisons of floats: a push of one register with room, a short branch, and falling through."""
    choose("gcc", "mps2-an386", monkeypatch)
    bodies = {
        "first": "str lr, [sp, #-8]!\\n bl second\\n ldr pc, [sp], #8\\n",
        "second": "cbz r0, third\\n sub sp, #8\\n add sp, #8\\n b third + 2\\n",
        "third": "nop\\n sub sp, #16\\n add sp, #16\\n",
        "fourth": "sub sp, #400\\n add sp, #400\\n bx lr\\n",
    }
    code = "".join(
        f".thumb_func\\n .type {name}, %function\\n {name}: {body} .size {name}, . - {name}\\n"
        for name, body in bodies.items()
    )
    head = f'__asm__(".text\\n .syntax unified\\n {code}");\nvoid first(void);\nekc_status digits_run('
    changed = replaced(folder, tmp_path / "on", "ekc_status digits_run(", head)
    text = (changed / "src" / "digits.c").read_text()
    (changed / "src" / "digits.c").write_text(text.replace("    return EKC_OK;", "    first();\n    return EKC_OK;"))
    bound = stack_bound(build_image(changed, load_board("mps2-an386"), tmp_path / "out"))
    assert bound.path[1:] == (("first", 8), ("second", 8), ("third", 16), ("fourth", 400))


def test_frames_add_up_along_the_deepest_path(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function with a known array, called by another with one, deepens the bound by both."""
    choose("gcc", "mps2-an386", monkeypatch)
    deep = (
        "__attribute__((noinline)) static void leaf(volatile char *p)"
        " { volatile char big[2000]; big[p[0] & 7] = 1; p[0] = big[3]; }\n"
        "__attribute__((noinline)) static void branch(volatile char *p)"
        " { volatile char mid[600]; mid[1] = 0; leaf(mid); p[0] = mid[2]; }\n"
        "ekc_status digits_run("
    )
    changed = replaced(folder, tmp_path / "deep", "ekc_status digits_run(", deep)
    text = (changed / "src" / "digits.c").read_text()
    text = text.replace("    return EKC_OK;", "    branch((volatile char *)arena);\n    return EKC_OK;")
    (changed / "src" / "digits.c").write_text(text)
    bound = stack_bound(build_image(changed, load_board("mps2-an386"), tmp_path / "out"))
    names = [name for name, _ in bound.path]
    assert names[:3] == ["digits_run", "branch", "leaf"]
    assert bound.size_bytes is not None and 2600 < bound.size_bytes < 2800


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("static int again(volatile int n) { return n > 0 ? again(n - 1) * again(n - 2) : 1; }", "again calls itself"),
        (
            "static int again(volatile int n) { volatile char v[n]; v[0] = 1; return v[0]; }",
            "again has a frame of dynamic size",
        ),
    ],
)
def test_no_bound_is_said_with_its_reason(
    call: str, reason: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose("gcc", "mps2-an386", monkeypatch)
    head = f"__attribute__((noinline)) {call}\nekc_status digits_run("
    changed = replaced(folder, tmp_path / "x", "ekc_status digits_run(", head)
    text = (changed / "src" / "digits.c").read_text()
    text = text.replace(
        "    return EKC_OK;", "    if (again((int)in[0]) == 77) return EKC_ERROR_NULL;\n    return EKC_OK;"
    )
    (changed / "src" / "digits.c").write_text(text)
    bound = stack_bound(build_image(changed, load_board("mps2-an386"), tmp_path / "out"))
    assert bound.size_bytes is None
    assert bound.reason == reason


def test_more_stack_than_the_bound_is_an_error() -> None:
    bound = StackBound(100, (("a_run", 60), ("b", 40)), "")
    check_stack(bound, 100, "here")
    check_stack(bound, None, "here")
    check_stack(StackBound(None, (), "why"), 5000, "here")
    with pytest.raises(VerifyError, match=r"here: the stack reached 101 bytes, .* bound is 100 \(a_run > b\)"):
        check_stack(bound, 101, "here")


def test_budgets_gate_a_build(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choose("gcc", "mps2-an386", monkeypatch)

    def run(*options: str) -> object:
        done = CliRunner().invoke(app, ["measure", str(folder), "--board", "mps2-an386", "--json", *options])
        return done.exception if done.exception is not None else json.loads(done.stdout)

    free = run()
    assert isinstance(free, dict)
    flash, ram = free["model_flash_bytes"], free["model_ram_bytes"]
    assert isinstance(run("--max-flash", str(flash), "--max-ram", str(ram)), dict)
    error = run("--max-flash", str(flash - 1))
    assert isinstance(error, CapacityError) and "1 over the budget" in str(error)
    error = run("--max-ram", str(ram - 3), "--max-flash", "1M")
    assert isinstance(error, CapacityError) and "3 over the budget" in str(error) and "flash of" not in str(error)


def test_half_an_instruction_is_no_call(tmp_path: Path) -> None:
    """The second half of this load, and this constant, are what BLX r0 is; one call there is."""
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    source, out = tmp_path / "calls.c", tmp_path / "calls.elf"
    body = "ldr.w r4, [r0, #0x780]\\n\\tldr r1, 1f\\n\\tblx r1\\n\\tbx lr\\n\\t.align 2\\n1:\\t.word 0x47804780"
    source.write_text(f'__attribute__((naked)) void _start(void) {{ __asm__("{body}"); }}\n')
    flags = ("-mcpu=cortex-m4", "-mthumb", "-nostdlib", "-Wl,-Ttext=0")
    subprocess.run(["arm-none-eabi-gcc", *flags, str(source), "-o", str(out)], check=True)
    elf = read_elf(out)
    assert b"\x80\x47" in next(s for s in elf.sections if s.name == ".text").data[:4]
    start = next(s for s in elf.symbols if s.name == "_start").address & ~1
    assert [at - start for at in indirect_calls(elf)] == [8]
