"""A network's name shadows no header, target, library or file of somebody else's."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.cli_command import MODEL, call, complaint

from edgekc.errors import UsageError
from edgekc.names import MAX_NAME, check_name, default_name

TAKEN = {
    "string": "would put a string.h in front",
    "stdint": "would put a stdint.h in front",
    "Math": "would put a Math.h in front",
    "unistd": "would put a unistd.h in front",
    "arm_mve": "would put a arm_mve.h in front",
    "immintrin": "would put a immintrin.h in front",
    "all": "means something else to CMake",
    "test": "means something else to CMake",
    "install": "means something else to CMake",
    "ALL_BUILD": "means something else to CMake",
    "PRIVATE": "means something else to CMake",
    "CMAKE": "means something else to CMake",
    "m": "in place of the system's libm",
    "pthread": "would put a pthread.h in front",
    "main": "beside those of the program",
    "ek": "edgekc's own runtime",
    "ek_conv2d": "edgekc's own runtime",
    "EK_ADD": "edgekc's own runtime",
    "ekc_status": "edgekc's own runtime",
    "ekh_harness": "edgekc's own runtime",
    "restrict": "cannot be a C identifier",
    "_Bool": "cannot be a C identifier",
    "aux": "is a device on Windows",
    "x" * (MAX_NAME + 1): f"has {MAX_NAME + 1} characters",
}


@pytest.mark.parametrize("name", TAKEN)
def test_a_name_that_is_taken_is_refused(tmp_path: Path, name: str) -> None:
    said = complaint(call("compile", MODEL, "-o", tmp_path / "out", "--name", name))
    assert TAKEN[name] in said
    assert "pass --name" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stem", ["string", "test", "main", "struct", "ek_x", "aux", "M", "x" * 99])
def test_a_file_of_such_a_name_is_compiled_under_a_safe_one(tmp_path: Path, stem: str) -> None:
    model = tmp_path / f"{stem}.tflite"
    shutil.copy(MODEL, model)
    assert call("compile", model, "-o", tmp_path / "out").code == 0
    name = next((tmp_path / "out").glob("*.ekc")).stem
    assert name == check_name(name) == default_name(model)
    assert (tmp_path / "out" / "include" / f"{name}.h").is_file()


@given(st.text(st.characters(exclude_characters="/\0"), min_size=1))
def test_every_file_has_a_name(stem: str) -> None:
    name = default_name(Path(f"{stem}.ekc"))
    assert check_name(name) == name
    assert re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name)


def test_names_in_use_stay() -> None:
    for name in ("digits", "kws", "model", "resnet8", "net", "KWS", "my_net_2"):
        assert check_name(name) == name
    assert default_name(Path("digits_int8.tflite")) == "digits_int8"


# Of cores that edgekc does not build for, or for other languages.
ELSEWHERE = ("riscv", "hexagon", "hvx", "wasm", "velintrin", "sifive", "andes", "amo", "msa", "ISO_Fortran", "sgidefs",
             "fpregdef", "config", "struct_")  # fmt: skip


def header_folders() -> list[Path]:
    """Where the compilers that are here have their own headers, and their C libraries'."""
    found: list[Path] = []
    for compiler in ("gcc", "clang", "arm-none-eabi-gcc", "aarch64-linux-gnu-gcc"):
        if shutil.which(compiler) is not None:
            done = subprocess.run([compiler, "-print-file-name=include"], capture_output=True, text=True, check=True)
            found.append(Path(done.stdout.strip()))
    found.append(Path("/usr/lib/arm-none-eabi/include"))
    try:
        import ziglang
    except ImportError:
        pass
    else:
        library = Path(ziglang.__file__).parent / "lib"
        found += [library / "include", library / "libc/include/generic-musl", library / "libc/include/generic-glibc"]
    return [folder for folder in found if folder.is_dir()]


def test_no_header_of_a_compiler_can_be_shadowed() -> None:
    folders = header_folders()
    if not folders:
        pytest.skip("no compiler here has headers")
    stems = {path.stem for folder in folders for path in folder.glob("*.h")}
    free = []
    for stem in sorted(stem for stem in stems if not stem.startswith(ELSEWHERE)):
        try:
            free.append(check_name(stem))
        except UsageError:
            continue
    assert len(stems) > 20
    assert free == []


@pytest.mark.skipif(not (shutil.which("cmake") and shutil.which("cc")), reason="cmake or cc is not installed")
def test_cmake_takes_the_name_of_a_file_called_test(tmp_path: Path) -> None:
    model = tmp_path / "test.tflite"
    shutil.copy(MODEL, model)
    assert call("compile", model, "-o", tmp_path / "out").code == 0
    done = subprocess.run(["cmake", "-S", tmp_path / "out", "-B", tmp_path / "b"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
