"""The forms in which the generated C holds the model: an array, or a file that the assembler includes; stripped."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile
from test_c_quality import WARNINGS

from edgekc.api.compiling import open_program
from edgekc.boards.board import load_board
from edgekc.boards.cores import CORES
from edgekc.demo.walk import DATA
from edgekc.emulate import host
from edgekc.errors import UsageError
from edgekc.files.output import write_folder
from edgekc.firmware.toolchain import zig_compiler
from edgekc.generate.embedded import DEFAULT, Embed, Form, as_files, check_embed, embedded, file_name
from edgekc.pipeline import compile_model, target_of

MODEL = DATA / "digits_int8.tflite"
PACKED = Path(__file__).resolve().parents[2] / "examples" / "models" / "resnet8_cifar10.ekc"
STRIPPED = Form(strip=True)
BOARDS = ("mps2-an386", "linux-aarch64")  # the second lays weights out in an order of its own
COMPILERS = {
    "gcc": ("gcc",),
    "clang": ("clang",),
    "cortex-m4": ("arm-none-eabi-gcc", *CORES["cortex-m4f"].gcc_flags),
    "clang-m4": ("clang", "--target=thumbv7em-none-eabi", "-mcpu=cortex-m4"),
    "aarch64": ("aarch64-linux-gnu-gcc",),
    "ios": ("clang", "--target=arm64-apple-ios"),
    "windows": ("clang", "--target=x86_64-windows-gnu"),
}


def files(board: str, embed: Embed) -> dict[str, bytes]:
    return dict(compile_model(MODEL, "net", target_of(load_board(board)), form=Form(embed)).files)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, Embed], Path]:
    made: dict[tuple[str, Embed], Path] = {}
    for board in BOARDS:
        for embed in ("array", "file"):
            made[board, embed] = tmp_path_factory.mktemp("embedded") / "out"
            write_folder(files(board, embed), made[board, embed])
    return made


def included(folder: Path) -> dict[str, bytes]:
    return {path.name.rsplit("_", 1)[0]: path.read_bytes() for path in (folder / "include").glob("*.bin")}


def array_of(folder: Path) -> bytes:
    """The bytes of the array that stands for the model."""
    text = (folder / "src" / "net_data.c").read_text().split("net_ekc", 2)[-1].split("{", 1)[1].split("};", 1)[0]
    words = re.findall(r"0x([0-9A-Fa-f]+)u", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL))
    return b"".join(int(word, 16).to_bytes(4, "little") for word in words)


@pytest.mark.parametrize("board", BOARDS)
def test_only_where_the_bytes_lie_differs(board: str, folders: dict[tuple[str, Embed], Path]) -> None:
    array, file = folders[board, "array"], folders[board, "file"]
    parts = included(file)
    data = (file / "net.ekc").read_bytes()
    held, as_array = parts["net_ekc"], array_of(array)
    assert held == as_array
    if board == "mps2-an386":  # whose kernels read weights in an order of their own, in place
        assert len(held) == len(data) + -len(data) % 4
        assert np.any(np.frombuffer(held[: len(data)], np.uint8) != np.frombuffer(data, np.uint8))
    else:
        assert held == bytes(16), "what is laid out is there once, and all of this model is"
    assert set(parts) == ({"net_ekc", "net_laid_out"} if board == "linux-aarch64" else {"net_ekc"})
    assert not included(array)
    for path in sorted((array / "src").glob("ek_*.c")):
        assert path.read_bytes() == (file / "src" / path.name).read_bytes()
    texts = [(folder / "src" / "net.c").read_text().split("#include", 1)[1] for folder in (array, file)]
    assert texts[0] == texts[1]


@pytest.mark.parametrize("name", [*COMPILERS, "zig"])
@pytest.mark.parametrize("board", BOARDS)
def test_every_compiler_takes_the_bytes(
    name: str, board: str, folders: dict[tuple[str, Embed], Path], tmp_path: Path
) -> None:
    """From another folder, without a warning; aligned, and with its size where the format has one."""
    zig = zig_compiler(load_board("mps2-an386"))
    command = COMPILERS.get(name) or (zig.command if zig else ("zig",))
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is missing")
    folder, target = folders[board, "file"], tmp_path / "data.o"
    source = folder / "src" / "net_data.c"
    flags = [*WARNINGS, "-O2", "-ffreestanding", f"-I{folder / 'include'}", "-fdata-sections"]
    flags += ["-isystem", str(host.RUNTIME_C / "port" / "freestanding")]
    subprocess.run([*command, *flags, "-c", str(source), "-o", str(target)], check=True, cwd=tmp_path)
    if name in ("ios", "windows"):
        assert included(folder)["net_ekc"] in target.read_bytes()
        return
    with target.open("rb") as file:
        elf: Any = ELFFile(file)
        symbols = {s.name: s for s in elf.get_section_by_name(".symtab").iter_symbols()}
        for symbol, data in included(folder).items():
            found = symbols[symbol]
            section = elf.get_section(found["st_shndx"])
            assert section.data() == data and found["st_size"] == len(data) and found["st_value"] == 0
            assert section.name == f".rodata.{symbol}" and section["sh_addralign"] >= 4
            assert section["sh_flags"] == 2, "allocated, neither writable nor code"


@pytest.mark.slow
def test_every_byte_is_right_on_the_host(folders: dict[tuple[str, Embed], Path]) -> None:
    """With weights laid out, whose file is aligned to cache lines."""
    assert open_program(folders["linux-aarch64", "file"]).verify(2, device=False).ok


def test_the_generated_cmake_builds_it(folders: dict[tuple[str, Embed], Path], tmp_path: Path) -> None:
    """As a library, with link-time optimisation, which does not see into assembly."""
    if shutil.which("cmake") is None:
        pytest.skip("cmake is missing")
    folder = folders["mps2-an386", "file"]
    (tmp_path / "main.c").write_text('#include "net_data.h"\nint main(void) { return net_ekc[0] != 0x1a434b45u; }\n')
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.13)\nproject(app C)\nset(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)\n"
        f'set(CMAKE_POLICY_DEFAULT_CMP0069 NEW)\nadd_subdirectory("{folder}" net)\nadd_compile_definitions(EK)\n'
        "target_compile_definitions(net PRIVATE EK_DSP_EMULATED)\n"
        "add_executable(app main.c)\ntarget_link_libraries(app net)\n"
    )
    build = tmp_path / "build"
    for command in (["cmake", "-S", str(tmp_path), "-B", str(build)], ["cmake", "--build", str(build)]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    subprocess.run([build / "app"], check=True)


@pytest.mark.fast
def test_arrays_below_a_mebibyte() -> None:
    most = bytes((1 << 20) - 4)
    assert not as_files(Form(), most, b"") and as_files(Form(), most, bytes(4))
    assert not as_files(Form("array"), most, most) and as_files(Form("file"), b"")
    assert b"const uint32_t net_ekc[" in files("mps2-an386", "auto")["src/net_data.c"]


@pytest.mark.fast
def test_names_tell_one_model_from_another() -> None:
    assert file_name("a", b"1") != file_name("a", b"2")
    assert check_embed("file") == "file"
    with pytest.raises(UsageError, match="expected auto, array or file"):
        check_embed("incbin")


def words_of(model: Path, board: str) -> tuple[Any, Any, Any]:
    """The compiled model, and what it embeds whole and stripped."""
    found = compile_model(model, "net", target_of(load_board(board)))
    data = found.files["net.ekc"]
    return found, *(embedded(found.plan, found.packed, data, form) for form in (DEFAULT, STRIPPED))


def check_constants(model: Path, board: str) -> set[str]:
    """Every constant that is left is there whole, and aligned; their names."""
    found, whole, stripped = words_of(model, board)
    for name, at in stripped.offsets.items():
        size = found.packed.offsets[name][1]
        assert at % 4 == 0
        assert stripped.data[at : at + size] == whole.data[whole.offsets[name] :][:size], name
        assert at + size + 16 <= len(stripped.data), "a read just past it is inside"
    return set(stripped.offsets)


@pytest.mark.fast
@pytest.mark.parametrize("model", [MODEL, PACKED], ids=["dense", "packed"])
def test_stripped_models_keep_what_kernels_read(model: Path) -> None:
    found, whole, stripped = words_of(model, "mps2-an386")
    assert check_constants(model, "mps2-an386") == set(found.packed.offsets)
    constants = sum(size for _, size in found.packed.offsets.values())
    assert constants + 16 <= len(stripped.data) <= constants + 16 + 3 * len(found.packed.offsets)
    assert {part.kind for part in whole.parts} - {part.kind for part in stripped.parts} == {
        "header", "graph", "metadata",
    }  # fmt: skip


@pytest.mark.fast
def test_weights_that_are_laid_out_are_there_once() -> None:
    assert not check_constants(MODEL, "linux-aarch64"), "every kernel reads what is laid out"


def test_first_values_of_states_are_kept(tmp_path: Path) -> None:
    """They lie in the graph's section."""
    streaming = pytest.importorskip("streaming", reason="the writer of .tflite files needs the package tflite")
    model = tmp_path / "net.tflite"
    model.write_bytes(streaming.random_streaming(1).file)
    graph = words_of(model, "mps2-an386")[0].packed.graph
    states = {s.start for s in graph.states if s.first_bytes() != s.first_bytes()[:1] * len(s.first_bytes())}
    assert states and states <= check_constants(model, "mps2-an386")


def test_the_board_s_program_holds_it(folders: dict[tuple[str, Embed], Path], tmp_path: Path) -> None:
    """The ledger finds the sections in the file's bytes as in the array's, and what --strip left of them."""
    stripped = tmp_path / "stripped"
    write_folder(compile_model(MODEL, "net", target_of(load_board("mps2-an386")), form=STRIPPED).files, stripped)
    array, file = (folders["mps2-an386", embed] for embed in ("array", "file"))
    programs = [open_program(folder) for folder in (array, file, stripped)]
    flash = [program.measure(1).flash_bytes for program in programs]
    sections = {s["kind"]: s["bytes"] for s in programs[0].manifest["sections"]}
    left = json.loads((stripped / "manifest.json").read_text())["embedded"]
    assert [s["kind"] for s in left] == [kind for kind in sections if kind not in ("graph", "metadata")]
    assert flash[0] == flash[1] >= flash[2] + sections["graph"] + sections["metadata"]
    assert ["stripped" in "".join(map(str, program.parts())) for program in programs] == [False, False, True]
    assert "--strip" in (stripped / "src" / "net_data.c").read_text()
    assert programs[2].verify(2).ok
