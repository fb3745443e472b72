"""What is in packages: the same sources in each, listings, archives, and what is refused."""

from __future__ import annotations

import inspect
import io
import json
import re
import zipfile
from pathlib import Path

import package_networks as networks
import pytest

from edgekc.cli.compile import compile_, complete_package
from edgekc.emulate import host
from edgekc.errors import CapacityError, UsageError
from edgekc.files.output import write_folder
from edgekc.packages import PACKAGES, wasm_package
from edgekc.packages.archive import zipped
from edgekc.packages.net import Net, net_of
from edgekc.packages.package import VERSION, any_name
from edgekc.packages.sample import fnv1a, sample_input, sample_of
from edgekc.packages.write import check_kinds, package, with_packages

pytestmark = pytest.mark.fast


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("networks")


@pytest.fixture(autouse=True)
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module takes seconds; tests/packages/test_wasm.py makes them."""
    monkeypatch.setattr(wasm_package, "module", lambda net: b"\0asm")


def made(kind: str, folder: Path, name: str = "digits", board: str = "rpi-pico") -> tuple[Net, dict[str, bytes]]:
    """A network, and the files of its package below the package's folder."""
    files = networks.files(name, folder, board)
    net = net_of(files)
    below = package(PACKAGES[kind], net, sample_of(net, files))
    return net, {path.removeprefix(f"{name}/"): data for path, data in below.items() if path.startswith(f"{name}/")}


@pytest.mark.parametrize("name", networks.KINDS)
@pytest.mark.parametrize("kind", PACKAGES)
def test_each_package_has_the_same_sources(kind: str, name: str, folder: Path) -> None:
    net, files = made(kind, folder, name)
    record = PACKAGES[kind]
    if record.sources:
        assert {f"{record.sources}/{file}": data for file, data in net.sources.items()}.items() <= files.items()
        assert {f"{record.headers}/{file}": data for file, data in net.headers.items()}.items() <= files.items()
        assert len(net.sources) > 2 and len(net.headers) > 4
    assert b"TITLE" not in b"".join(files.values()) and not [p for p in files if "NAME" in p or "TITLE" in p]
    shared = {*net.sources.values(), *net.headers.values()}
    texts = {path: data.decode() for path, data in files.items() if data not in shared and not path.endswith(".wasm")}
    assert [path for path, text in texts.items() if not text.endswith("\n")] == []
    assert [path for path, text in texts.items() if re.search(r"\{%|\{#|Undefined", text)] == []
    assert "the terms of the source" in texts["README.md"]


def test_the_sample_s_hash_is_what_the_c_on_this_machine_gives(tmp_path: Path, folder: Path) -> None:
    files = networks.files("mixed", folder)
    net = net_of(files)
    write_folder(files, tmp_path / "out")
    inputs = b"".join(sample_input(e, d).tobytes() for e, d in zip(net.inputs, ("int8", "float32"), strict=True))
    assert fnv1a(host.run(host.build(tmp_path / "out"), inputs)) == sample_of(net, files).fnv1a


def test_the_hash_is_fnv_1a() -> None:
    """Vectors of draft-eastlake-fnv, appendix C."""
    assert [fnv1a(text) for text in (b"", b"a", b"foobar")] == [0x811C9DC5, 0xE40C292C, 0xBF9CF968]


def test_the_manifest_lists_them_and_the_folder_is_written(folder: Path, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    files = with_packages(networks.files("digits", folder), ("arduino", "wasm", "arduino"), lambda *s: steps.append(s))
    manifest = json.loads(files["manifest.json"])
    assert steps == [("package arduino", 0, 2), ("package wasm", 1, 2)]
    assert [row["kind"] for row in manifest["packages"]] == ["arduino", "wasm"]
    for row in manifest["packages"]:
        own = [data for path, data in files.items() if path.startswith(f"packages/{row['kind']}/")]
        assert (row["files"], row["bytes"]) == (len(own), sum(map(len, own)))
    assert set(manifest["files"]) == set(files) - {"manifest.json"}
    write_folder(files, tmp_path / "out")
    write_folder(networks.files("digits", folder), tmp_path / "out")
    assert not (tmp_path / "out" / "packages").exists(), "an earlier output is replaced whole"
    write_folder(files, tmp_path / "out")
    (tmp_path / "out" / "packages" / "wasm" / "digits" / "digits.wasm").write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"digits\.wasm changed since edgekc wrote it"):
        write_folder(files, tmp_path / "out")


def test_archives_are_the_folder_and_the_same_each_time(folder: Path) -> None:
    files = with_packages(networks.files("digits", folder), ("arduino", "cmsis-pack"))
    for place, inside in (
        (f"arduino/digits-{VERSION}.zip", "digits/"),
        (f"cmsis-pack/edgekc.digits.{VERSION}.pack", ""),
    ):
        archive = zipfile.ZipFile(io.BytesIO(files[f"packages/{place}"]))
        kind = place.split("/")[0]
        wanted = {p.removeprefix(f"packages/{kind}/digits/"): d for p, d in files.items() if f"{kind}/digits/" in p}
        assert {name.removeprefix(inside): archive.read(name) for name in archive.namelist()} == wanted
        assert archive.testzip() is None and all(i.date_time[0] == 1980 for i in archive.infolist())
    assert zipped({"b": b"1", "a": b"2"}) == zipped({"a": b"2", "b": b"1"})


@pytest.mark.parametrize(
    ("kind", "name", "why"),
    [
        ("arduino", "arduino_net", "begins with `arduino`"),
        ("arduino", "n" * 59, "more than the 63 of a sketch"),
        ("arduino", "Servo", r"would put a Servo\.h in front of Arduino's"),
        ("platformio", "wire", r"would put a wire\.h in front of Arduino's"),
        ("esp-idf", "mqtt", "is kept for a component of ESP-IDF itself"),
        ("esp-idf", "esp_net", "is kept for a component of ESP-IDF itself"),
        ("esp-idf", "Digits", "has capital letters"),
        ("esp-idf", "a__b", "underscores in a row"),
        ("rust", "match", "means something else in Rust"),
        ("rust", "core", "means something else in Rust"),
        ("android", "import", "is a keyword of Java"),
        ("android", "string", "would make a class String"),
    ],
)
def test_names_that_a_package_may_not_have(kind: str, name: str, why: str) -> None:
    with pytest.raises(UsageError, match=f"--package {kind}: the name '{name}' .*{why}.*; pass another --name"):
        check_kinds((kind,), name)
    assert check_kinds(tuple(PACKAGES), "digits") == tuple(PACKAGES.values())
    assert check_kinds("rust", "digits") == (PACKAGES["rust"],), "one word is one kind"


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(UsageError, match="--package ardino: no such kind of package; did you mean 'arduino'"):
        check_kinds(("ardino",), "digits")
    with pytest.raises(UsageError, match="use one of: arduino, platformio"):
        check_kinds(("?",), "digits")
    assert complete_package("a") == ["arduino", "android"]


def test_documentation_and_help_have_each_kind() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "packages.md").read_text(encoding="utf-8")
    assert {kind: text.count(f"\n| `{kind}` | ") for kind in PACKAGES if kind in text} == {
        kind: 2 + (PACKAGES[kind].name_problem is not any_name) for kind in PACKAGES
    }
    shown = str(inspect.signature(compile_).parameters["package"].annotation)
    assert [kind for kind in PACKAGES if kind not in shown] == []


def test_kernels_that_no_core_there_runs_are_refused(folder: Path) -> None:
    files = networks.files("digits", folder, "mps2-an386")
    for kind, board in (("esp-idf", "esp32c3"), ("android", "android-arm64")):
        with pytest.raises(UsageError, match=f"--package {kind}: its kernels for mps2-an386 use dsp.*--board {board}"):
            with_packages(files, (kind,))
    assert "packages/zephyr/digits/Kconfig" in with_packages(files, ("zephyr",))


def test_a_network_too_large_for_every_device_is_refused(folder: Path) -> None:
    files = dict(networks.files("digits", folder))
    manifest = json.loads(files["manifest.json"])
    for key, size, text in (("arena_bytes", 2 << 20, "RAM"), ("ekc_bytes", 20 << 20, "flash")):
        files["manifest.json"] = json.dumps({**manifest, key: size}).encode()
        for kind in ("arduino", "esp-idf"):
            with pytest.raises(CapacityError, match=f"--package {kind}: digits needs .* bytes of {text}, .* more than"):
                with_packages(files, (kind,))


def test_buffers_are_those_of_the_manifest(folder: Path) -> None:
    net = net_of(networks.files("mixed", folder))
    assert (net.input_bytes, net.output_bytes, net.single) == (23, 27, True)
    assert net.buffer_bytes == net.arena_bytes + 23 + 27
    assert net.buffer_kib == -(-net.buffer_bytes // 1024)
    assert [(e.name, e.offset, e.rust_type, e.java_type) for e in net.inputs] == [
        ("input", 0, "i8", "byte"), ("input1", 3, "f32", "float")
    ]  # fmt: skip
    wake = net_of(networks.files("wake_2", folder))
    assert (wake.title, wake.jni) == ("Wake2", "wake_12_Wake2") and wake.state_bytes
