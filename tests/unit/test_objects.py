"""Objects kept by content: what makes a key another one, and that a damaged or unwritable cache only costs time."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from edgekc.emulate import host
from edgekc.firmware import objects
from edgekc.firmware.toolchain import Compiler, host_compiler

FLAGS = ("-O2", "-DEK_ONE=1", "-DEK_UNUSED=2")


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source, and a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "ek_a.h").write_text('#include <stdint.h>\n#include "ek_b.h"\n')
    (tmp_path / "include" / "ek_b.h").write_text("int32_t ek_f(void);\n")
    (tmp_path / "ek_f.c").write_text('#include "ek_a.h"\nint32_t ek_f(void) { return EK_ONE; }\n')
    return tmp_path / "ek_f.c"


def key(source: Path, *flags: str, compiler: Compiler | None = None) -> str:
    found = objects.key_of(compiler or host_compiler(), [*(flags or FLAGS), f"-I{source.parent / 'include'}"], source)
    assert found is not None
    return found


def test_the_same_content_elsewhere_has_the_same_key(source: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(source.parent / "include", tmp_path / "other" / "include")).parent / "ek_f.c"
    shutil.copy(source, other)
    assert key(other) == key(source)
    assert key(source, *FLAGS, "-g") != key(other, *FLAGS, "-g")  # debug information has the path
    both = [f"-ffile-prefix-map={path.parent}=model" for path in (source, other)]
    assert key(source, *FLAGS, "-g", both[0]) == key(other, *FLAGS, "-g", both[1])


@pytest.mark.parametrize("file", ["ek_f.c", "include/ek_a.h", "include/ek_b.h"])
def test_a_change_of_a_source_or_header_changes_it(source: Path, file: str) -> None:
    before = key(source)
    (source.parent / file).write_text((source.parent / file).read_text() + "/* */\n")
    assert key(source) != before


def test_flags_and_compiler_change_it(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = host_compiler()
    keys = [key(source), key(source, "-O3", *FLAGS[1:]), key(source, "-O2", "-DEK_ONE=2")]
    keys.append(key(source, compiler=Compiler(found.family, found.command, "another version")))
    keys.append(key(source, compiler=Compiler(found.family, (*found.command, "-m64"), found.version)))
    monkeypatch.setenv("CPATH", "/nowhere")
    keys.append(key(source))
    assert len(set(keys)) == len(keys)


def test_a_macro_that_nothing_mentions_does_not(source: Path) -> None:
    assert key(source, "-O2", "-DEK_ONE=1", "-DEK_UNUSED=3") == key(source) == key(source, "-O2", "-DEK_ONE=1")
    assert key(source, *FLAGS, "-DNDEBUG") != key(source)  # not one of ours: the system's headers may ask for it


def test_a_computed_include_is_not_kept(source: Path) -> None:
    source.write_text("#define NAME <stdint.h>\n#include NAME\n")
    assert objects.key_of(host_compiler(), FLAGS, source) is None
    assert not objects.fetch(None, source.with_suffix(".o"))


def test_what_is_kept_comes_back_whole(source: Path, tmp_path: Path) -> None:
    target, again = tmp_path / "x.o", tmp_path / "y.o"
    for usage in (None, b"", b"ek_f.c:1:1:ek_f\t16\tstatic\n"):
        target.write_bytes(os.urandom(5000))
        target.with_suffix(".su").unlink(missing_ok=True)
        if usage is not None:
            target.with_suffix(".su").write_bytes(usage)
        again.with_suffix(".su").write_bytes(b"left over")
        objects.keep(key(source), target)
        assert objects.fetch(key(source), again)
        assert again.read_bytes() == target.read_bytes()
        assert (again.with_suffix(".su").read_bytes() if again.with_suffix(".su").exists() else None) == usage


def test_a_damaged_entry_is_not_taken(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "x.o"
    target.write_bytes(b"object" * 100)
    objects.keep(key(source), target)
    (entry,) = (objects.user_cache() / "objects").iterdir()
    whole = entry.read_bytes()
    for damaged in (whole[:-1], whole[:40], b"", whole[:60] + b"?" + whole[61:]):
        entry.write_bytes(damaged)
        assert not objects.fetch(key(source), tmp_path / "y.o")
    assert not (tmp_path / "y.o").exists()


def test_a_cache_that_cannot_be_written_only_costs_time(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "x.o"
    target.write_bytes(b"object")
    (tmp_path / "cache").write_text("a file where the folder should be")
    objects.keep(key(source), target)
    assert not objects.fetch(key(source), tmp_path / "y.o")
    assert target.read_bytes() == b"object"


def test_the_folder_does_not_grow_without_end(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "_MOST_BYTES", 10_000)
    monkeypatch.setattr(objects, "_TIDIES_BELOW", "g")
    target = tmp_path / "x.o"
    target.write_bytes(bytes(1000))
    for i in range(30):
        objects.keep(f"{i:064x}", target)
        os.utime(objects.user_cache() / "objects" / f"{i:064x}", ns=(i, i))
    left = sorted(entry.name for entry in (objects.user_cache() / "objects").iterdir())
    assert 4 <= len(left) <= 10
    assert left[-1] == f"{29:064x}" and left == [f"{i:064x}" for i in range(30 - len(left), 30)]


def test_a_network_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Path) -> None:
    """The second build, of a copy of the folder, calls the compiler for linking only, and gives the same outputs."""
    from edgekc.demo.walk import DATA
    from edgekc.files.output import read_manifest, write_folder
    from edgekc.pipeline import Target, compile_model

    compiled = compile_model(DATA / "digits_int8.tflite", "digits", Target("none", frozenset(), None, None))
    for name in ("one", "two"):
        write_folder(compiled.files, tmp_path / name)
    calls = tmp_path / "calls"
    logged = tmp_path / "logged-cc"
    real = " ".join(host_compiler().command)
    logged.write_text(f'#!/bin/sh\necho "$*" >>{calls}\nexec {real} "$@"\n')
    logged.chmod(logged.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CC", str(logged))
    outputs, counts = [], []
    for name, trace in (("one", False), ("two", False), ("two", True)):
        calls.write_text("")
        program = host.build(tmp_path / name, trace=trace)
        sample = host.samples(read_manifest(tmp_path / name), 1)
        outputs.append(host.run_traced(program, sample)[0] if trace else host.run(program, sample))
        counts.append(sum(" -c " in line for line in calls.read_text().splitlines()))
    assert counts[0] > 5 and counts[1] == 0 and counts[2] == 2  # traced: the network, and what calls it
    assert outputs[0] == outputs[1] == outputs[2]


def test_every_flag_of_ours_is_understood() -> None:
    """A folder of headers in a form that `key_of` does not know would let a changed header go unseen."""

    def folders(flags: Sequence[str]) -> list[Path]:
        return objects._split(flags)[0]

    assert folders(["-Ia", "-I", "b", "-isystem", "c"]) == [Path("a"), Path("b"), Path("c")]
    assert folders(["-O2", "-DX", "-ffile-prefix-map=/a=b"]) == []
