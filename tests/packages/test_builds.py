"""Packages built by the tools of their environments where these are installed, else by stand-ins, and run."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from xml.etree import ElementTree

import package_networks as networks
import pytest

from edgekc.errors import ToolError
from edgekc.files.output import write_folder
from edgekc.packages.write import with_packages

pytestmark = pytest.mark.slow
STAND_INS = Path(__file__).parent / "standins"
# Kernels of other cores are emulated in C, as the native environment of PlatformIO's example has it.
EMULATED = ("-DEK_DSP_EMULATED", "-DEK_MVE_EMULATED", "-DEK_VEC_EMULATED")
WARNINGS = ("-Wall", "-Wextra", "-Wshadow", "-Wstrict-prototypes", "-Werror")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("networks")


def need(*tools: str) -> None:
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")


def written(kind: str, name: str, folder: Path, place: Path) -> Path:
    """The folder `packages/KIND` of a network, in a place of its own."""
    target = place / kind / name
    if not target.exists():
        write_folder(with_packages(networks.files(name, folder), (kind,)), target)
    return target / "packages" / kind


def wasm(name: str, folder: Path, place: Path) -> Path:
    try:
        return written("wasm", name, folder, place) / name
    except ToolError as error:
        pytest.skip(str(error))


def sh(*words: str | Path, cwd: Path | None = None, **variables: str) -> str:
    """What a command prints; the test fails where it does."""
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, env={**os.environ, **variables}, capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, f"{words}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def right(name: str, text: str) -> None:
    """The example found the output that the definition gives."""
    assert re.search(rf"^{name}: (status 0, )?output [0-9A-F]{{8}}, right$", text, re.MULTILINE), text


# ---- CMake ----

MAIN = """
#include <stdio.h>
#include <stdint.h>
#include "mixed.h"
#include "mixed_sample.h"
#include "wake_2.h"
#include "wake_2_sample.h"
#define ALIGNED __attribute__((aligned(16)))
static uint8_t arena[MIXED_ARENA_BYTES + WAKE_2_ARENA_BYTES] ALIGNED, state[WAKE_2_STATE_BYTES], in[999], out[999];
int main(void)
{
    mixed_sample_input(in);
    if (mixed_run(arena, in, out) != EKC_OK || mixed_sample_hash(out) != MIXED_SAMPLE_HASH) { return 1; }
    wake_2_sample_input(in);
    wake_2_reset(state);
    if (wake_2_run(arena, state, in, out) != EKC_OK || wake_2_sample_hash(out) != WAKE_2_SAMPLE_HASH) { return 2; }
    puts("both right");
    return 0;
}
"""


@pytest.mark.parametrize(("generator", "language"), [("Ninja", "CXX"), ("Unix Makefiles", "C")])
def test_cmake_with_two_networks(generator: str, language: str, folder: Path, tmp_path: Path) -> None:
    """In one program: installed and found from a C++ project by Ninja; as subdirectories of a C project by Make."""
    need("cmake", "ninja" if generator == "Ninja" else "make", "g++")
    places = {name: written("cmake", name, folder, tmp_path) / name for name in ("mixed", "wake_2")}
    main = "main.cpp" if language == "CXX" else "main.c"
    if generator == "Ninja":
        for place in places.values():
            sh("cmake", "--preset", "host", "-G", generator, "-DEDGEKC_OPT=-Os -fno-strict-aliasing", cwd=place)
            sh("cmake", "--build", "--preset", "host", cwd=place)
            assert "100% tests passed" in sh("ctest", "--preset", "host", cwd=place)
            sh("cmake", "--install", place / "build" / "host", "--prefix", tmp_path / "installed")
        found = "".join(f"find_package({name} 0.1 REQUIRED)\n" for name in places)
    else:
        found = "".join(f'add_subdirectory("{place}" {name})\n' for name, place in places.items())
    project = tmp_path / "project"
    project.mkdir()
    (project / main).write_text(MAIN)
    (project / "CMakeLists.txt").write_text(
        f"cmake_minimum_required(VERSION 3.13)\nproject(both {language})\n{found}add_executable(both {main})\n"
        "target_link_libraries(both edgekc::mixed edgekc::wake_2)\n"
        "target_include_directories(both PRIVATE ${SAMPLES})\n"
    )
    samples = ";".join(str(place / "example") for place in places.values())
    build = ("-G", generator, "-B", project / "build", f"-DCMAKE_PREFIX_PATH={tmp_path / 'installed'}")
    sh("cmake", *build, f"-DSAMPLES={samples}", "-DEDGEKC_EMULATE=ON", cwd=project)
    sh("cmake", "--build", project / "build")
    assert sh(project / "build" / "both") == "both right\n"


# ---- Arduino ----


def archive(compiler: str, flags: Sequence[str | Path], library: Path, folder: Path) -> Path:
    """A library as the IDE makes it with dot_a_linkage: an archive of all its sources."""
    folder.mkdir(parents=True)
    sh(compiler, "-c", *flags, *sorted((library / "src").glob("*.c")), f"-I{library / 'src'}", cwd=folder)
    target = folder / "library.a"
    sh("ar", "rcs", target, *sorted(folder.glob("*.o")))
    return target


def sketch(library: Path, folder: Path) -> Path:
    """A sketch as C++, as the IDE makes it."""
    (ino,) = library.glob("examples/*/*.ino")
    path = folder / "sketch.cpp"
    path.write_text(f'#include <Arduino.h>\n#line 1 "{ino.name}"\n{ino.read_text()}')
    return path


def test_an_arduino_sketch_runs_on_a_stand_in(folder: Path, tmp_path: Path) -> None:
    """Out of the zip, beside the library of another network, all of whose code is in one program."""
    need("g++", "ar")
    libraries = []
    for name in ("wake_2", "mixed"):
        (found,) = written("arduino", name, folder, tmp_path).glob("*.zip")
        zipfile.ZipFile(found).extractall(tmp_path / "libraries")
        libraries.append(tmp_path / "libraries" / name)
    flags = ("-Os", "-ffp-contract=off", *EMULATED)
    archives = [archive("gcc", flags, library, tmp_path / f"objects-{library.name}") for library in libraries]
    (tmp_path / "start.cpp").write_text("#include <Arduino.h>\nint main() { setup(); loop(); }\n")
    other = tmp_path / "other.c"
    other.write_text('#include "mixed.h"\nvoid *volatile kept = (void *)mixed_run;\n')
    sh("gcc", "-c", other, f"-I{libraries[1] / 'src'}", "-o", tmp_path / "other.o")
    headers = [f"-I{library / 'src'}" for library in libraries]
    (example,) = libraries[0].glob("examples/*")
    board = f"-I{STAND_INS / 'arduino'}"
    sh("g++", "-std=c++11", "-Os", "-Wall", "-Wextra", "-Werror", *headers, f"-I{example}", board,
       sketch(libraries[0], tmp_path), "-c", "-o", tmp_path / "sketch.o")  # fmt: skip
    parts = (tmp_path / "sketch.o", tmp_path / "start.cpp", tmp_path / "other.o", *archives)
    sh("g++", "-Wno-unused", board, *parts, "-o", tmp_path / "program")
    right("wake_2", sh(tmp_path / "program"))


@pytest.mark.parametrize("prefix", ["arm-none-eabi-", "avr-"])
def test_an_arduino_library_compiles_for_boards(prefix: str, folder: Path, tmp_path: Path) -> None:
    need(f"{prefix}gcc", f"{prefix}g++")
    core = ("-mcpu=cortex-m0plus", "-mthumb") if prefix.startswith("arm") else ("-mmcu=atmega2560",)
    library = written("arduino", "mixed", folder, tmp_path) / "mixed"
    archive(f"{prefix}gcc", ("-Os", "-ffp-contract=off", *core), library, tmp_path / "objects")
    (example,) = library.glob("examples/*")
    sh(f"{prefix}g++", "-c", "-Os", "-std=c++11", *core, f"-I{library / 'src'}", f"-I{example}",
       f"-I{STAND_INS / 'arduino'}", sketch(library, tmp_path), "-o", tmp_path / "sketch.o")  # fmt: skip


# ---- build systems of operating systems, by stand-ins ----


def test_zephyr_with_two_networks_on_a_stand_in(folder: Path, tmp_path: Path) -> None:
    """Zephyr links whole libraries: the kernels that both networks have must be in one of them alone."""
    need("cmake", "ninja", "gcc")
    places = {name: written("zephyr", name, folder, tmp_path) / name for name in ("wake_2", "mixed")}
    sh("cmake", "-G", "Ninja", "-S", places["wake_2"] / "samples" / "demo", "-B", tmp_path / "build",
       f"-DZephyr_DIR={STAND_INS / 'zephyr'}", f"-DZEPHYR_EXTRA_MODULES={places['mixed']}",
       "-DEXTRA_CONFIG=CONFIG_EDGEKC_MIXED=y")  # fmt: skip
    sh("cmake", "--build", tmp_path / "build")
    right("wake_2", sh(tmp_path / "build" / "zephyr"))
    assert " T mixed_run" in sh("nm", tmp_path / "build" / "zephyr")


def test_zephyr_s_kconfig_is_read(folder: Path, tmp_path: Path) -> None:
    kconfiglib = pytest.importorskip("kconfiglib")
    place = written("zephyr", "mixed", folder, tmp_path) / "mixed"
    found = kconfiglib.Kconfig(str(place / "Kconfig"), warn_to_stderr=False)
    found.load_config(str(place / "samples" / "demo" / "prj.conf"))
    assert found.syms["EDGEKC_MIXED"].str_value == "y"


def test_esp_idf_on_a_stand_in(folder: Path, tmp_path: Path) -> None:
    need("cmake", "ninja", "gcc")
    place = written("esp-idf", "mixed", folder, tmp_path) / "mixed"
    variables = {"IDF_PATH": str(STAND_INS / "esp_idf")}
    sh("cmake", "-G", "Ninja", "-S", place / "examples" / "demo", "-B", tmp_path / "build", **variables)
    sh("cmake", "--build", tmp_path / "build", **variables)
    right("mixed", sh(tmp_path / "build" / "app"))


def test_the_component_manager_packs_it(folder: Path, tmp_path: Path) -> None:
    need("compote")
    place = written("esp-idf", "mixed", folder, tmp_path) / "mixed"
    sh("compote", "component", "pack", "--name", "mixed", "--dest-dir", tmp_path / "packed", cwd=place)
    assert (tmp_path / "packed" / "mixed_0.1.0.tgz").is_file()


# ---- packages of sources ----


def test_platformio(folder: Path, tmp_path: Path) -> None:
    """By what library.json says, as the native environment of the example; and by `pio` its archive."""
    need("gcc")
    place = written("platformio", "mixed", folder, tmp_path) / "mixed"
    build = json.loads((place / "library.json").read_text())["build"]
    demo = place / "examples" / "demo" / "src"
    sources = [*sorted((place / build["srcDir"]).glob("*.c")), demo / "main.c"]
    flags = (*build["flags"], *EMULATED, f"-I{place / build['includeDir']}", *WARNINGS)
    sh("gcc", *flags, *sources, "-o", tmp_path / "demo")
    right("mixed", sh(tmp_path / "demo"))
    if shutil.which("pio"):
        sh("pio", "pkg", "pack", "-o", tmp_path / "packed.tar.gz", cwd=place)
        assert "library.json" in sh("tar", "tzf", tmp_path / "packed.tar.gz")


def test_the_listed_files_of_a_cmsis_pack_build(folder: Path, tmp_path: Path) -> None:
    need("gcc")
    (found,) = written("cmsis-pack", "mixed", folder, tmp_path).glob("*.pack")
    zipfile.ZipFile(io.BytesIO(found.read_bytes())).extractall(tmp_path / "pack")
    root = ElementTree.parse(tmp_path / "pack" / "edgekc.mixed.pdsc").getroot()
    files = [(file.attrib["category"], tmp_path / "pack" / file.attrib["name"]) for file in root.iter("file")]
    sources = [place for category, place in files if category == "source"]
    includes = [f"-I{place}" for category, place in files if category == "include"]
    sh("gcc", "-O2", *EMULATED, *WARNINGS, *includes, *sources, "-o", tmp_path / "demo")
    right("mixed", sh(tmp_path / "demo"))


# ---- languages ----


PAGE = """<!doctype html><meta charset="utf-8"><body><script type="module">
console.log = (...words) => { document.body.textContent += words.join(" ") + "; "; };
await import("./example.mjs").catch((error) => console.log(error));
</script>"""


def test_wasm_in_a_browser(folder: Path, tmp_path: Path) -> None:
    need("chromium")
    place = wasm("wake_2", folder, tmp_path)
    (place / "page.html").write_text(PAGE)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(place)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/page.html"
        options = ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}")
        found = sh("chromium", *options, "--virtual-time-budget=8000", "--dump-dom", address)
    finally:
        server.shutdown()
    assert re.search(r"^wake_2: output [0-9A-F]{8}, right; ", found, re.MULTILINE), found


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        """Nothing of it is for the test's output."""


@pytest.mark.parametrize("name", ["mixed", "wake_2"])
def test_rust(name: str, folder: Path, tmp_path: Path) -> None:
    need("cargo", "gcc")
    networks.crates_of_this_machine(tmp_path)
    place = written("rust", name, folder, tmp_path) / name
    done = subprocess.run(
        ["cargo", "test", "--offline", "--test", "sample"],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode and "no matching package named `cc`" in done.stderr:
        pytest.skip("the crate cc is not here")
    assert done.returncode == 0, done.stderr
    assert "test the_output_is_right ... ok" in done.stdout and "test each_thread_has_its_own_buffers" in done.stdout
    assert "warning" not in done.stderr


def test_wasm_in_node(folder: Path, tmp_path: Path) -> None:
    need("node")
    place = wasm("mixed", folder, tmp_path)
    right("mixed", sh("node", "example.mjs", cwd=place))
    wrong = 'import("./mixed.mjs").then(async (m) => (await m.load()).run(new Int8Array(3), new Int8Array(5)))'
    done = subprocess.run(["node", "-e", wrong], cwd=place, capture_output=True, text=True, check=False)
    assert "TypeError: input1 is a Float32Array of 5" in done.stderr


def test_android_s_wrapper_on_this_machine_s_java(folder: Path, tmp_path: Path) -> None:
    name = "wake_2"  # whose state has a native method too
    need("cmake", "ninja", "javac", "java")
    place = written("android", name, folder, tmp_path) / name
    sh("cmake", "-G", "Ninja", "-S", place, "-B", tmp_path / "build")
    sh("cmake", "--build", tmp_path / "build")
    classes = sorted(place.rglob("*.java"))
    sh("javac", "-Xlint:all", "-Werror", "-d", tmp_path / "classes", *classes)
    native = f"-Djava.library.path={tmp_path / 'build'}"
    right(name, sh("java", "-Xcheck:jni", native, "-cp", tmp_path / "classes", "Demo"))
