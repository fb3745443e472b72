"""compile --check: any damage of a network's constants is noticed, by every compiler; unasked it costs nothing."""

from __future__ import annotations

import ctypes
import json
import shutil
import struct
import subprocess
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import flips
import numpy as np
import pytest
from elftools.elf.elffile import ELFFile
from test_c_quality import COMPILERS, WARNINGS

import edgekc
from edgekc.assets import RUNTIME_C
from edgekc.boards.board import load_board
from edgekc.demo.walk import DATA
from edgekc.emulate import host
from edgekc.firmware.toolchain import host_compiler

MODEL = DATA / "digits_int8.tflite"
KERNELS = RUNTIME_C / "kernels" / "portable"
TRUST = Path(__file__).resolve().parents[2] / "docs" / "trust.md"
OK, ERROR_NULL, DAMAGED = 0, 1, 3
VARIANTS: dict[str, dict[str, Any]] = {
    "laid out": {"board": "linux-aarch64"},
    "file": {"board": "mps3-an547", "embed": "file", "strip": True},
    "parts": {"board": "linux-aarch64", "threads": 3},
    "rows": {"ram": "6k", "input_rows": True},
    "state": {},
}


def compiled(folder: Path, model: Path = MODEL, **options: Any) -> Path:
    return edgekc.compile(model, name="net", **options).save(folder)


def variant(name: str, folder: Path, **options: Any) -> Path:
    model = MODEL
    if name == "state":
        streaming = pytest.importorskip("streaming", reason="the writer of .tflite files needs the package tflite")
        model = folder.with_suffix(".tflite")
        model.write_bytes(streaming.random_streaming(2).file)
    return compiled(folder, model, **VARIANTS[name], **options)


def shared(sources: list[Path], out: Path, *flags: str) -> ctypes.CDLL:
    library = out / "check.so"
    command = [*host_compiler().command, "-O2", "-shared", "-fPIC", f"-I{RUNTIME_C / 'include'}", *flags]
    subprocess.run([*command, *map(str, sources), "-o", str(library)], check=True)
    return ctypes.CDLL(str(library))


@pytest.mark.fast
def test_the_documents_figures_are_those_of_the_benchmark() -> None:
    results = json.loads((TRUST.parents[1] / "benchmarks" / "results" / "bit_flips.json").read_text())
    text = TRUST.read_text()
    assert text == flips.in_trust(text, results), "run: python benchmarks/bit_flips.py"
    for found in results["networks"].values():
        for noticed, flipped in (found[kind] for kind in ("every", "random", "double") if kind in found):
            assert noticed == flipped > 0
    assert results["unchecked"]["findings"] == {} and results["unchecked"]["faults"] == 0


# ---- the CRC ----


@pytest.mark.fast
def test_the_crc_is_zlibs_in_one_part_and_in_several(tmp_path: Path) -> None:
    crc = shared([KERNELS / "ek_crc32.c"], tmp_path).ek_crc32
    crc.restype = ctypes.c_uint32
    rng = np.random.default_rng(1)
    assert crc(0, b"123456789", 9) == 0xCBF43926
    for size in (0, 1, 2, 3, 4, 5, 63, 1000):
        data = rng.bytes(size)
        cut = int(rng.integers(size + 1))
        assert crc(0, data, size) == zlib.crc32(data) == crc(crc(0, data, cut), data[cut:], size - cut)


@pytest.mark.fast
def test_a_hook_takes_its_place(tmp_path: Path) -> None:
    """Its sum is the one that counts: a wrong one is damage."""
    (tmp_path / "hook.c").write_text(
        '#include "ek_check.h"\nuint32_t calls;\n'
        "uint32_t board_crc32(uint32_t crc, const void *data, uint32_t bytes)\n"
        "{ (void)data; calls++; return crc + bytes; }\n"
        "int checked(uint32_t crc) { ekc_check p = {0, 0, 0}; ek_checking c; ek_check_begin(&c, &p, 100);"
        ' ek_check_crc(&c, "abcde", 5, crc); return ek_check_end(&c); }\n'
    )
    sources = [tmp_path / "hook.c", KERNELS / "ek_check_crc.c", KERNELS / "ek_crc32.c"]
    library = shared(sources, tmp_path, "-DEK_CRC32_HOOK=board_crc32", "-Wl,--no-undefined")
    assert library.checked(5) == OK and library.checked(6) == DAMAGED
    assert ctypes.c_uint32.in_dll(library, "calls").value == 2
    assert not hasattr(library, "ek_crc32")


class CrcUnit:
    """STM32's CRC calculation unit with the default polynomial, a byte at a time (RM0351)."""

    def __init__(self) -> None:
        self.init, self.control, self.value = 0xFFFFFFFF, 0, 0xFFFFFFFF

    def write(self, _uc: Any, offset: int, size: int, value: int, _data: Any) -> None:
        if offset == 0x10:
            self.init = value
        elif offset == 0x08:
            self.control = value & 0xFE
            if value & 1:
                self.value = self.init
        else:
            assert (offset, size) == (0, 1)
            if self.control & 0x60 == 0x20:
                value = int(f"{value:08b}"[::-1], 2)
            self.value ^= value << 24
            for _ in range(8):
                self.value = (self.value << 1 ^ (0x04C11DB7 if self.value >> 31 else 0)) & 0xFFFFFFFF

    def read(self, _uc: Any, offset: int, size: int, _data: Any) -> int:
        assert (offset, size) == (0, 4)
        return int(f"{self.value:032b}"[::-1], 2) if self.control & 0x80 else self.value


def test_the_documented_hook_gives_the_same_on_a_model_of_the_unit(tmp_path: Path) -> None:
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    unicorn = pytest.importorskip("unicorn", reason="unicorn is not installed")
    arm: Any = pytest.importorskip("unicorn.arm_const")
    block = TRUST.read_text().partition("<!-- hook -->")[2].partition("```c\n")[2].partition("```")[0]
    (tmp_path / "hook.c").write_text(block)
    flags = "-mthumb -mcpu=cortex-m4 -O2 -Wall -Werror -ffreestanding -nostdlib -Wl,-Ttext=0x1000 -Wl,-eboard_crc32"
    command = ["arm-none-eabi-gcc", *flags.split(), str(tmp_path / "hook.c"), "-o", str(tmp_path / "x.elf")]
    subprocess.run(command, check=True)
    subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", tmp_path / "x.elf", tmp_path / "x.bin"], check=True)
    entry = struct.unpack_from("<I", (tmp_path / "x.elf").read_bytes(), 24)[0]
    unit, data = CrcUnit(), np.random.default_rng(3).bytes(300)
    uc: Any = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB)
    uc.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M4)
    uc.mem_map(0, 0x10000)
    uc.mem_write(0x1000, (tmp_path / "x.bin").read_bytes())
    uc.mem_map(0x20000000, 0x2000)
    uc.mem_write(0x20001000, data)
    uc.mmio_map(0x40023000, 0x1000, unit.read, None, unit.write, None)
    crc = 0
    for first, last in ((0, 1), (1, 128), (128, 300)):
        registers = (arm.UC_ARM_REG_R0, arm.UC_ARM_REG_R1, arm.UC_ARM_REG_R2, arm.UC_ARM_REG_SP, arm.UC_ARM_REG_LR)
        for register, value in zip(registers, (crc, 0x20001000 + first, last - first, 0x20001000, 0x8001), strict=True):
            uc.reg_write(register, value)
        uc.emu_start(entry | 1, 0x8000, count=200_000)
        crc = uc.reg_read(arm.UC_ARM_REG_R0)
        assert crc == zlib.crc32(data[:last])


# ---- the generated functions ----


class Progress(ctypes.Structure):
    _fields_ = (("place", ctypes.c_uint32), ("crc", ctypes.c_uint32), ("passes", ctypes.c_uint32))


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> tuple[ctypes.CDLL, int]:
    """The demo's model with constants that can be written, and how many bytes are checked."""
    folder = compiled(tmp_path_factory.mktemp("check") / "out", check_run=True)
    checked = json.loads((folder / "manifest.json").read_text())["check"]
    library = host.build(folder, flags=("-std=gnu99", "-O1", "-fPIC", "-shared", "-Dconst=")).library
    return library, sum(section["bytes"] for section in checked["sections"])


def steps(library: ctypes.CDLL, progress: Progress, size: int) -> tuple[int, int]:
    """How many steps until a pass has ended, and the last status."""
    passes = progress.passes
    for count in range(1, 100_000):
        status = int(library.net_check_step(ctypes.byref(progress), size))
        if status != OK or progress.passes != passes:
            return count, status
    raise AssertionError("it does not end")


def test_steps_are_as_long_as_asked_and_begin_again(program: tuple[ctypes.CDLL, int]) -> None:
    library, bytes_ = program
    assert library.net_check() == OK
    assert library.net_check_step(None, 10) == ERROR_NULL
    progress = Progress()
    everything = 0
    while progress.passes == 0:
        before = progress.place
        assert library.net_check_step(ctypes.byref(progress), 7) == OK
        assert progress.place in (before + 7, 0)
        everything = progress.place or before + 7
    assert everything >= bytes_ + 9 * 20, "tables too"
    for size in (1, 64, 1000, 1 << 20, 0xFFFFFFFF):
        count, status = steps(library, progress, size)
        assert status == OK and (count - 1) * size < everything
    assert progress.passes == 6
    assert library.net_check_step(ctypes.byref(progress), 0) == OK and progress.place == 0


def test_damage_is_found_by_the_steps_and_not_forgotten(program: tuple[ctypes.CDLL, int]) -> None:
    library, bytes_ = program
    words = (ctypes.c_uint32 * (bytes_ // 4)).in_dll(library, "net_ekc")
    for word in (0, 700, len(words) - 1):
        progress = Progress()
        words[word] ^= 1 << 5
        assert library.net_check() == DAMAGED
        for size in (50, 100_000):
            for _ in range(2):
                assert steps(library, progress, size)[1] == DAMAGED
                assert (progress.place, progress.passes) == (0, 0)
        words[word] ^= 1 << 5
        assert steps(library, progress, 50)[1] == OK


def test_a_state_behind_the_end_is_no_pass(program: tuple[ctypes.CDLL, int]) -> None:
    """The state lies in RAM, where a bit may flip too."""
    progress = Progress(place=1 << 30)
    assert program[0].net_check_step(ctypes.byref(progress), 100) == OK
    assert (progress.place, progress.passes) == (0, 0)


# ---- every bit ----


def test_every_bit_of_a_model_is_noticed(tmp_path: Path) -> None:
    folder = compiled(tmp_path / "out", board="rpi-pico", check=True)
    found = flips.flip(flips.build(folder, tmp_path / "flips", ["-O1"]), "every")[0]
    assert found["bits"] >= 8 * 4456 + 2 * 9 * 8 * 20
    assert found["noticed"] == found["flips"] == found["bits"]


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_every_bit_is_noticed_whatever_the_form(name: str, tmp_path: Path) -> None:
    folder = variant(name, tmp_path / "out", check_run=True)
    found = flips.flip(flips.build(folder, tmp_path / "flips"), "every")[0]
    assert found["noticed"] == found["flips"] == found["bits"]


@pytest.mark.slow
@pytest.mark.parametrize("flags", ["-O0", "-O3 -flto", "-Os -fmerge-all-constants"])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_no_compiler_sees_through_it(
    compiler: str, flags: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Table and copy are equal constants: one may not become the other, nor their comparison a constant."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is missing")
    monkeypatch.setenv("CC", compiler)
    folder = compiled(tmp_path / "out", check=True)
    program = flips.build(folder, tmp_path / "flips", flags.split())
    for bits in (1, 2):
        found = flips.flip(program, "random", 3000, 1, bits)[0]
        assert found["noticed"] == found["flips"] == 3000


def test_a_run_refuses_damaged_tables(tmp_path: Path) -> None:
    """With --check-run; it does not look at weights."""
    program = flips.build(compiled(tmp_path / "out", board="rpi-pico", check_run=True), tmp_path / "flips", ["-O1"])
    found = flips.flip(program, "tables", 3000, 1)[0]
    assert found["noticed"] == found["flips"] == 3000
    assert flips.flip(program, "run", 100, 1, 0)[0]["noticed"] == 0


@pytest.mark.slow
def test_bits_of_an_image_are_noticed_on_a_cortex_m4(tmp_path: Path) -> None:
    """Flash with a bit that is another, on the emulated board; tables, copies and the embedded model."""
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    unicorn_core = pytest.importorskip("edgekc.emulate.unicorn_core", reason="unicorn is not installed")
    image = flips.calling(compiled(tmp_path / "out", check=True), load_board("mps2-an386"), tmp_path)
    (tmp_path / "input.bin").write_bytes(bytes(64))
    assert unicorn_core.run(image, tmp_path, timeout_s=60, count=False)[1] == ""
    with image.elf.open("rb") as file:
        elf: Any = ELFFile(file)
        symbols = list(elf.get_section_by_name(".symtab").iter_symbols())
        names = [s for s in symbols if s.name.endswith("_params") or s.name in ("net_ekc", "copies")]
        places = [next(elf.address_offsets(s["st_value"])) for s in names]
    data = bytearray(image.elf.read_bytes())
    assert len(names) == 2 + 9
    rng = np.random.default_rng(1)
    for symbol, place in zip(names, places, strict=True):
        for bit in rng.integers(8 * symbol["st_size"], size=12 if symbol["st_size"] > 100 else 4):
            at = place + int(bit) // 8
            data[at] ^= 1 << bit % 8
            (tmp_path / "flipped.elf").write_bytes(data)
            data[at] ^= 1 << bit % 8
            flipped = replace(image, elf=tmp_path / "flipped.elf")
            assert unicorn_core.run(flipped, tmp_path, timeout_s=60, count=False)[1] != ""
            assert "status 3" in (tmp_path / "report.txt").read_text(), (symbol.name, bit)


# ---- what it costs whoever does not ask ----


@pytest.mark.fast
def test_without_the_option_nothing_is_there(tmp_path: Path) -> None:
    plain, asked, each = (edgekc.compile(MODEL, name="net", **k) for k in ({}, {"check": True}, {"check_run": True}))
    more = {"src/ek_check_crc.c", "src/ek_crc32.c", "include/ek_check.h", "include/ekc_check.h"}
    assert set(asked.files) - set(plain.files) == set(each.files) - set(plain.files) == more
    changed = {path for path, data in plain.files.items() if data != asked.files[path]}
    fronted = {"src/net.c", "src/net_data.c", "include/net.h", "include/net_data.h", "CMakeLists.txt"}
    assert changed == {*fronted, "manifest.json"}
    assert not any(b"check" in plain.files[path] for path in changed)
    before, after = (p.files["src/net.c"].decode().partition("\nekc_status net_run(")[2] for p in (plain, asked))
    assert before and before == after, "the network function is the same"
    assert asked.manifest["check"]["each_run"] is False and each.manifest["check"]["each_run"] is True


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    names = ("laid out", "rows", "state")
    return [variant(name, tmp_path_factory.mktemp("warn") / "out", check_run=True) for name in names]


@pytest.mark.slow
@pytest.mark.parametrize("compiler", COMPILERS)
def test_no_compiler_warns(compiler: str, folders: list[Path], tmp_path: Path) -> None:
    command = COMPILERS[compiler]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    for folder in folders:
        sources = [str(folder / "src" / file) for file in ("net.c", "ek_check_crc.c", "ek_crc32.c")]
        flags = [*WARNINGS, "-O2", f"-I{folder / 'include'}", "-c"]
        subprocess.run([*command, *flags, *sources], check=True, cwd=tmp_path)
    cxx = tmp_path / "use.cpp"
    cxx.write_text('#include "net.h"\nint main() { return net_check() == EKC_ERROR_DAMAGED; }\n')
    if shutil.which("g++"):
        subprocess.run(["g++", "-Wall", "-Wextra", "-Werror", f"-I{folder / 'include'}", "-c", str(cxx)], check=True,
                       cwd=tmp_path)  # fmt: skip


@pytest.mark.fast
def test_the_rust_package_has_it_where_it_was_asked_for() -> None:
    for options, text in (({}, ""), ({"check": True}, "debug_assert_eq"), ({"check_run": True}, " assert_eq!(status")):
        made = edgekc.compile(MODEL, name="net", board="rpi-pico", packages=["rust"], **options)
        library = made.files["packages/rust/net/src/lib.rs"].decode()
        assert ("pub fn check() -> bool" in library) == bool(options) and text in library
