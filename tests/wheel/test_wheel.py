"""The package as a user gets it: built from a clean copy, complete, and working in an empty environment elsewhere."""

from __future__ import annotations

import email
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ASSETS = ("codegen", "runtime_c", "boards")
# What `edgekc --help` must not import: it has to answer at once, on machines that have none of these.
HEAVY = ("torch", "tensorflow", "keras", "numpy", "pydantic", "jinja2", "elftools", "tflite", "onnx", "sklearn")
# How pip and urllib say that there is no package registry within reach.
NO_REGISTRY = (
    "Could not find a version that satisfies",
    "No matching distribution found",
    "Temporary failure in name resolution",
    "Failed to establish a new connection",
    "Max retries exceeded",
)


def need_registry(done: subprocess.CompletedProcess[str], what: str) -> None:
    """Skips where only the network is missing; fails on everything else."""
    if done.returncode == 0:
        return
    text = done.stdout + done.stderr
    if any(words in text for words in NO_REGISTRY):
        pytest.skip(f"{what} needs a package registry, and none can be reached")
    pytest.fail(f"{what} failed:\n{text[-4000:]}")


def run(*command: str | Path, cwd: Path, timeout_s: float = 600) -> subprocess.CompletedProcess[str]:
    # The checkout must not help: neither by PYTHONPATH, nor by the current folder.
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    return subprocess.run(
        [str(word) for word in command], cwd=cwd, env={**clean, "COLUMNS": "160"}, capture_output=True, text=True,
        timeout=timeout_s, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


@pytest.fixture(scope="session")
def tree() -> list[str]:
    """The project's files, with new ones and without what git ignores."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout: cannot tell the project's files from leftovers")
    done = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return sorted(name for name in set(done.stdout.split("\0")) if name and (ROOT / name).is_file())


@pytest.fixture(scope="session")
def wheel(tree: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the sdist, which is built from a copy: a stale build/ or egg-info cannot hide a missing file."""
    pytest.importorskip("build", reason="the package `build` is not installed")
    source, dist = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in tree:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, source / name)
    need_registry(run(sys.executable, "-m", "build", "--outdir", dist, source, cwd=dist), "building the wheel")
    (built,) = dist.glob("*.whl")
    return built


def test_the_licence_is_in_both_packages(wheel: Path) -> None:
    text = (ROOT / "LICENSE").read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/licenses/LICENSE"))
        assert archive.read(name) == text
        (metadata,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        said = archive.read(metadata).decode().splitlines()
    assert "License-Expression: Apache-2.0" in said
    assert "License-File: LICENSE" in said
    (sdist,) = wheel.parent.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        (member,) = (m for m in archive.getmembers() if m.name.count("/") == 1 and m.name.endswith("/LICENSE"))
        file = archive.extractfile(member)
        assert file is not None and file.read() == text


def test_a_package_index_takes_both_and_can_show_the_readme(wheel: Path, tmp_path: Path) -> None:
    pytest.importorskip("twine", reason="the package `twine` is not installed")
    markdown = pytest.importorskip("readme_renderer.markdown", reason="`readme-renderer` is not installed")
    packages = sorted(wheel.parent.iterdir())
    assert len(packages) == 2
    done = run(sys.executable, "-m", "twine", "check", "--strict", *packages, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    urls = dict(str(row).split(", ") for row in metadata.get_all("Project-URL") or [])
    assert urls.keys() == {"Homepage", "Documentation", "Source", "Changelog", "Issues"}
    shown = markdown.render(metadata.get_payload())
    if shown is None and markdown.render("words") is None:
        pytest.skip("`readme-renderer[md]` is not installed")
    assert "<table>" in shown and "<img" in shown
    targets = re.findall(r'(?:href|src)="([^"]*)"', shown)
    assert [t for t in targets if not t.startswith(("https://", "#"))] == [], "a link that needs the repository"


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a new environment that has the wheel and its core dependencies only."""
    home = tmp_path_factory.mktemp("environment")
    done = run(sys.executable, "-m", "venv", home, cwd=home)
    if done.returncode != 0:
        pytest.skip(f"cannot make an environment: {(done.stdout + done.stderr).strip()[:300]}")
    programs = home / ("Scripts" if os.name == "nt" else "bin")
    need_registry(run(programs / "python", "-m", "pip", "install", wheel, cwd=home), "installing the wheel")
    return programs


def test_every_file_is_in_the_wheel(tree: list[str], wheel: Path) -> None:
    expected = {name for name in tree if name.startswith("edgekc/")}
    expected |= {f"edgekc/_assets/{name}" for name in tree if name.split("/")[0] in ASSETS}
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert sorted(expected - names) == [], "missing; is a package absent from pyproject.toml's list?"
    assert sorted(names - expected) == [], "in the wheel, and not in the tree"


def test_works_in_an_empty_environment(installed: Path, tree: list[str], tmp_path: Path) -> None:
    """One test, so that `pytest -n` makes the environment once."""
    help_is_light(installed, tmp_path)
    frameworks_are_not_installed(installed, tmp_path)
    boards_ship(installed, tree, tmp_path)
    demo_runs(installed, tmp_path)


def help_is_light(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "probe.py").write_text(
        "import sys\n"
        "import edgekc.cli.main as main\n"
        "sys.argv = ['edgekc', '--help']\n"
        "try:\n"
        "    main.run()\n"
        "finally:\n"
        f"    print(main.__file__, *(m for m in {HEAVY!r} if m in sys.modules), sep='\\n', file=sys.stderr)\n"
    )
    done = run(installed / "python", "probe.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    file, *heavy = done.stderr.splitlines()
    assert installed.parent in Path(file).parents, "imported from elsewhere than the new environment"
    assert heavy == []
    assert run(installed / "edgekc", "--help", cwd=tmp_path).stdout == done.stdout
    assert "compile" in done.stdout


def frameworks_are_not_installed(installed: Path, tmp_path: Path) -> None:
    done = run(installed / "python", "-m", "pip", "list", "--format", "json", cwd=tmp_path)
    names = {row["name"].lower() for row in json.loads(done.stdout)}
    assert "edgekc" in names
    assert not names & {"torch", "tensorflow", "keras", "onnx", "scikit-learn", "ziglang", "unicorn"}


def boards_ship(installed: Path, tree: list[str], tmp_path: Path) -> None:
    done = run(installed / "edgekc", "boards", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    boards = {name.split("/")[1] for name in tree if name.startswith("boards/") and name.endswith("/board.toml")}
    assert {row["name"] for row in json.loads(done.stdout)} == boards


def demo_runs(installed: Path, tmp_path: Path) -> None:
    """From the embedded .tflite to the report, with the compiler and the emulator of this machine."""
    doctor = run(installed / "edgekc", "doctor", "--json", cwd=tmp_path)
    findings = json.loads(doctor.stdout)
    missing = [row["tool"] for row in findings if row["required"] and not row["found"]]
    if missing:
        assert doctor.returncode == 2
        pytest.skip(f"all passed but the demo: without the extra `arm` there is no {', no '.join(missing)}")
    done = run(installed / "edgekc", "demo", "-o", "digits", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every byte equal" in done.stdout
    assert "not cycles" in done.stdout
    assert (tmp_path / "digits" / "digits.ekc").is_file()
