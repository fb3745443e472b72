"""The files of an output folder and kinds of packages to the same folder with the packages in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from ..assets import CODEGEN
from ..errors import CapacityError, UsageError
from ..files.output import list_files
from ..names import of_kind
from ..progress import Progress, silent
from ..templates import environment
from . import PACKAGES, bom
from .net import Net, net_of
from .package import VERSION, Files, Package
from .sample import Sample, sample_of

FOLDER = "packages"  # below the output folder
_TEMPLATES = CODEGEN / "packages"


def check_kinds(kinds: Sequence[str], name: str) -> tuple[Package, ...]:
    """The records of kinds that the user named, each once. UsageError for an unknown one, or a name that it refuses."""
    words = dict.fromkeys((kinds,) if isinstance(kinds, str) else kinds)
    records = tuple(of_kind(PACKAGES, word, "package", f"--package {word}") for word in words)
    for record in records:
        if why := record.name_problem(name):
            raise UsageError(f"the name {name!r} {why}", where=f"--package {record.kind}", fix="pass another --name")
    return records


def with_packages(
    files: Files, kinds: Sequence[str], progress: Progress = silent, *, sbom: bool = False
) -> dict[str, bytes]:
    """An output folder's files with those of packages below `packages/KIND`, and a manifest that lists them.

    Args:
        files: path below the folder -> content.
        kinds: names in PACKAGES.
        progress: is told which is made.
        sbom: a bill of materials comes into the folder, and into each package.

    Raises:
        UsageError: there is no such kind, or it takes no network of this name, or none with these kernels.
        CapacityError: no device of that kind has room for the network.
        ToolError: a tool is missing that a package is built with.
    """
    net = net_of(files)
    records = check_kinds(kinds, net.name)
    for record in records:
        _check(record, net)
    sample = sample_of(net, files) if records else None
    manifest = json.loads(files["manifest.json"])
    metadata = manifest["metadata"] if sbom else None
    found, listed = dict(files), []
    if sbom:
        found[bom.FILE] = bom.bill(net, manifest["metadata"], {p: d for p, d in files.items() if p != "manifest.json"})
    for done, record in enumerate(records):
        progress(f"package {record.kind}", done, len(records))
        assert sample is not None
        made = package(record, net, sample, metadata)
        found |= {f"{FOLDER}/{record.kind}/{path}": data for path, data in made.items()}
        listed.append({"kind": record.kind, "files": len(made), "bytes": sum(map(len, made.values()))})
    del found["manifest.json"], manifest["files"], manifest["sha256"]
    found["manifest.json"] = list_files({**manifest, **({"packages": listed} if records else {})}, found)
    return found


def package(record: Package, net: Net, sample: Sample, metadata: Mapping[str, str] | None = None) -> dict[str, bytes]:
    """The files of one package, by their path below `packages/KIND`: its folder NAME, and what is built of it.

    Args:
        metadata: of the packed model; a bill of materials comes into the folder NAME then.
    """
    made: dict[str, bytes] = {}
    if record.sources:
        made |= {_join(record.sources, name): data for name, data in net.sources.items()}
        made |= {_join(record.headers, name): data for name, data in net.headers.items()}
    if record.sample:
        sample_file = _named(_join(record.sample, "NAME_sample.h"), net)
        made[sample_file] = _render("shared/sample.h", net, sample)
    folder = _TEMPLATES / record.kind
    for path in sorted(folder.rglob("*.j2")):
        below = path.relative_to(folder).as_posix().removesuffix(".j2")
        made[_named(below, net)] = _render(f"{record.kind}/{below}", net, sample)
    if metadata is None:
        more = record.more(net, made)
    elif record.sources:
        made[bom.FILE] = bom.bill(net, metadata, made, others=record.others)
        more = record.more(net, made)
    else:  # all C is in what is built of it
        more = record.more(net, made)
        built = {path.removeprefix(f"{net.name}/"): data for path, data in more.items()}
        made[bom.FILE] = bom.bill(net, metadata, {**made, **built}, net.sources, record.others)
    return {**{_join(net.name, path): data for path, data in sorted(made.items())}, **more}


def _render(template: str, net: Net, sample: Sample) -> bytes:
    found = environment().get_template(f"packages/{template}.j2")
    return bytes(found.render(net=net, sample=sample, package_version=VERSION).encode())


def _named(path: str, net: Net) -> str:
    return path.replace("NAME", net.name).replace("TITLE", net.title)


def _join(folder: str, name: str) -> str:
    return PurePosixPath(folder, name).as_posix()


def _check(record: Package, net: Net) -> None:
    """Whether any device of the environment can hold and run the network."""
    where = f"--package {record.kind}"
    wrong = [word for word in ("dsp", "mve", "vector") if word in net.needs and word not in record.extensions]
    if wrong:
        raise UsageError(
            f"its kernels for {net.board} use {' and '.join(wrong)}, which no core there has",
            where=where,
            fix=f"compile with --board {record.board}",
        )
    needs = (("flash", net.flash_bytes, record.flash_bytes), ("RAM", net.buffer_bytes, record.ram_bytes))
    for what, needed, room in needs:
        if room and needed > room:
            raise CapacityError(
                f"{net.name} needs {needed:,} bytes of {what}, {needed - room:,} more than {record.largest} has",
                where=where,
                fix="take a smaller network" + (", or compile it with --ram" if what == "RAM" else ""),
            )
