"""Files that edgekc wrote and reads again, and small ones beside a user's: readers, and sound ones to damage."""

from __future__ import annotations

import json
import random
import re
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import fuzz_mutations as mutations
import numpy as np

from edgekc.errors import UsageError

Seeds = list[bytes]
_PAYLOAD, _BEFORE = b"the network, trained again" * 9, b"the network" * 20
_SAMPLE_BYTES = 2560  # of MLPerf Tiny's windows of sound


@cache
def _key(seed: int = 1) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)


def updates() -> Seeds:
    """Signed: a whole payload, and changes to an older one."""
    from edgekc.update.package import sign

    whole = sign(_PAYLOAD, _key(), sequence=2, security_counter=1, network=bytes(16))
    return [whole, sign(_PAYLOAD, _key(), sequence=3, security_counter=1, network=bytes(16), base=_BEFORE)]


def update(path: Path) -> None:
    """As `check-signature`; half of the damaged ones are signed again, so that what comes behind is reached."""
    from edgekc.api.updates import read_update
    from edgekc.update.header import HEADER_BYTES, SIGNED_BYTES
    from edgekc.update.package import check

    data = read_update(path)
    if zlib.crc32(data) % 2 and len(data) >= HEADER_BYTES:
        data = data[:SIGNED_BYTES] + _key().sign(data[:SIGNED_BYTES]) + data[HEADER_BYTES:]
    check(data, _key().public_key(), base=_BEFORE)


def keys() -> Seeds:
    """Both halves, a key with a password, and one of another kind."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    pem, pkcs8 = form.Encoding.PEM, form.PrivateFormat.PKCS8
    other = X25519PrivateKey.from_private_bytes(bytes(32))
    return [
        _key().private_bytes(pem, pkcs8, form.NoEncryption()),
        _key().public_key().public_bytes(pem, form.PublicFormat.SubjectPublicKeyInfo),
        _key().private_bytes(pem, pkcs8, form.BestAvailableEncryption(b"secret")),
        other.private_bytes(pem, pkcs8, form.NoEncryption()),
    ]


def key(path: Path) -> None:
    from edgekc.update.keys import load_private, load_public

    load_public(path)
    load_private(path)


@cache
def _blob() -> tuple[bytes, dict[str, Any], Any]:
    import blob_nets

    from edgekc.format.blob import layout_of

    manifest = json.loads(blob_nets.files()["manifest.json"])
    return blob_nets.files()[f"{blob_nets.NAME}.blob"], manifest, layout_of(manifest)


def blobs() -> Seeds:
    return [_blob()[0]]


def blob(data: bytes) -> None:
    from edgekc.format.blob import read

    read(data, _blob()[2])


def damaged_blob(rng: random.Random, data: bytes) -> bytes:
    """Half of those of the right length have right sums, so that what the sums guard is looked at."""
    import blob_nets

    data = mutations.blind(rng, data) if rng.random() < 0.5 else mutations.numbers(rng, data)
    if len(data) != _blob()[2].total_bytes or rng.random() < 0.5:
        return data
    return blob_nets.damaged(data, _blob()[2], bytes([blob_nets.SUMS | blob_nets.HEADER_SUM]))


def blob_manifests() -> Seeds:
    return [json.dumps(_blob()[1]).encode()]


def blob_manifest(path: Path) -> None:
    """As `compile --blob-for`, whose folder this is."""
    from edgekc.files.output import read_manifest
    from edgekc.format.blob import check_fits

    check_fits(_blob()[1], read_manifest(path.parent), "net.tflite", str(path.parent))


def firmware() -> Seeds:
    listing = {"tool": "edgekc 0.1.0", "board": "nucleo-f412zg", "optimise": "speed", "link": "uart"}
    return [json.dumps({**listing, "files": {"net.elf": "0" * 64, "net.map": "1" * 64}}).encode()]


def updatable(path: Path) -> None:
    from edgekc.boards.board import load_board
    from edgekc.firmware.folder import open_updatable

    open_updatable(path.parent, load_board("nucleo-f412zg"))


def _candidates() -> Iterator[tuple[Any, Any]]:
    from edgekc.exploration.candidate import Candidate, Figures

    for i, choice in enumerate(("int8", "cluster4", "steps2")):
        candidate = Candidate((("conv", choice), ("dense", "int8")), epochs=i)
        yield candidate, Figures(9000 - 1000 * i, 4000, 10_000, 0.01, 0.1 * i, 0.9, 5000)


def searches() -> Seeds:
    from edgekc.study.trials import Trial

    trials = [Trial(i, "solver", c, f, {}, 0.1, 2.0) for i, (c, f) in enumerate(_candidates())]
    found = {
        "schema": 1, "name": "net", "board": "nucleo-f446re", "met": True, "best": trials[0].candidate.key,
        "loss_unit": "points", "budget": {"flash": 10_000, "ram": None, "seconds": None, "loss": 1.0},
        "trials": [{**t.to_dict(), "pareto": True} for t in trials],
    }  # fmt: skip
    return [json.dumps(found).encode()]


def search(path: Path) -> None:
    from edgekc.report.searched import read_search, search_chart

    search_chart(read_search(path.parent))


def sensitivities() -> Seeds:
    loss = {"proxy": 0.1, "loss": 0.2}
    return [json.dumps({"key": "here", "layers": {"conv": {"cluster4": loss, "steps2": loss}}}).encode()]


def sensitivity(path: Path) -> None:
    from edgekc.exploration.sensitivity import _Kept

    _Kept.open(path.parent, "here")


def _identity() -> Any:
    from edgekc.study.engine import Identity

    return Identity("0.1.0", "ab" * 32, "cd" * 32, "nucleo-f446re", 1)


def journals() -> Seeds:
    """A search's, with a trial that is complete, one that failed and one that runs."""
    import optuna

    from edgekc.study import journal

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "study"
        with journal.opened(folder) as storage:
            study = optuna.create_study(storage=storage, study_name="budget", directions=["minimize"] * 4)
            journal.mark(study, _identity())
            for i, (candidate, figures) in enumerate(_candidates()):
                trial = study.ask()
                trial.set_user_attr("candidate", candidate.to_dict())
                trial.set_user_attr("phase", "solver")
                if i == 0:
                    trial.set_user_attr("figures", asdict(figures))
                    study.tell(trial, [9000.0, 4000.0, 10_000.0, 0.1])
                elif i == 1:
                    trial.set_user_attr("error", "it does not fit")
                    study.tell(trial, state=optuna.trial.TrialState.FAIL)
        return [(folder / journal.FILE).read_bytes()]


def journal_of_a_search(path: Path) -> None:
    """As a search that goes on: the identity, and the records of all trials."""
    from edgekc.exploration.candidate import Budget
    from edgekc.study import evaluate, journal

    with journal.opened(path.parent) as storage:
        journal.check_identity(storage, _identity(), str(path))
        evaluate.check_attributes(journal.every_study(storage), str(path))
        for study in journal.every_study(storage):
            evaluate.records(study, Budget(flash=9500), lambda candidate: None)


def json_lines(rng: random.Random, data: bytes) -> bytes:
    """One line of JSON is damaged, dropped, doubled or moved."""
    lines = data.splitlines()
    if not lines or rng.random() < 0.1:
        return mutations.blind(rng, data)
    at, kind = rng.randrange(len(lines)), rng.randrange(6)
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(rng.randrange(len(lines)), lines[at])
    elif kind == 2:
        other = rng.randrange(len(lines))
        lines[at], lines[other] = lines[other], lines[at]
    else:
        lines[at] = mutations.js(rng, lines[at]).replace(b"\n", b" ")
    return b"\n".join(lines) + b"\n" * (rng.random() < 0.9)


def uses() -> Seeds:
    from edgekc import used

    use = used.Use("test", "ab" * 32, "images.zip", "cd" * 32, "net")
    return [json.dumps({"schema": 1, "uses": [asdict(use), asdict(use)]}).encode()]


def use(path: Path) -> None:
    from edgekc import used
    from edgekc.parts import Part

    used.flags(used.read(path.parent), Part("test", "images.zip", 10, "ab" * 32), "ef" * 32)


def labels() -> Seeds:
    return [b"a.bin,2,1,2560,512\n\nb.bin, 2, 0, 2560, 512\n", b"a.bin,2,1\nb.bin,2,0\n"]


def label_table(path: Path) -> None:
    """As `edgekc mlperf`: the table of labels of anomaly detection, and the files that it names."""
    from edgekc.mlperf.benchmarks import BENCHMARKS
    from edgekc.mlperf.samples import load_samples

    for name in ("a.bin", "b.bin"):
        if not (path.parent / name).is_file():
            (path.parent / name).write_bytes(bytes(_SAMPLE_BYTES))
    load_samples(path.parent, BENCHMARKS["ad"])


def tables() -> Seeds:
    """What `edgekc bench -o x.json` writes."""
    from edgekc.measure.matrix import Row, as_json

    rows = [Row("net.tflite", "nucleo-f446re", "speed", "measured", "", 9000, 4000, 3000, 500, 10_000, 12_000, 0.1)]
    rows.append(Row("net.tflite", "rpi-pico", "size", "too large", "by 9 bytes"))
    return [json.dumps(as_json(rows, "0.1.0")).encode()]


def table(path: Path) -> None:
    from edgekc.measure.matrix import read_rows

    read_rows(path)


def frames() -> Seeds:
    """The `input.bin` of images."""
    from edgekc.apps import netpbm
    from edgekc.apps.boxes import Box

    pixels = np.arange(24, dtype=np.uint8)
    grey = netpbm.Frame(pixels.reshape(4, 6, 1), 7)
    return [netpbm.written([grey, netpbm.Frame(pixels.reshape(2, 4, 3), None, (Box(1, 0, 0, 2, 2, 0),)), grey])]


def frames_of_images(data: bytes) -> None:
    from edgekc.apps import netpbm

    netpbm.read(data, "input.bin")


def netpbm_text(rng: random.Random, data: bytes) -> bytes:
    """A number in a header becomes another one; the rest is blind."""
    if rng.random() < 0.4:
        return mutations.blind(rng, data)
    found = list(re.finditer(rb"\d+", data))
    if not found:
        return mutations.blind(rng, data)
    at = rng.choice(found)
    return (
        data[: at.start()] + rng.choice((b"0", b"-1", b"65536", b"9" * 5000, b"1e3", b"", b"# 3\n4")) + data[at.end() :]
    )


def settings() -> Seeds:
    """Of the apps: of a sensor, of images, of a wake word and of commands."""
    found = [
        {"sensor": {"middle": [1, 2], "unit": [0.5, 1.0], "stride": 5, "labels": ["walk", "stand"], "hold": 2}},
        {"sensor": {"middle": [1], "unit": [2.0], "stride": 5, "threshold": 90, "release": 40}},
        {"vision": {"labels": ["cat", "dog"], "black": 0.0, "white": 1.0, "least_score": 0.5, "overlap": 45}},
        {"wake_word": "okay", "micro": {"probability_cutoff": 0.9, "sliding_window_size": 5, "feature_step_size": 10}},
        {"labels": ["yes", "no"], "threshold": 0.7, "mean": 3, "step_ms": 100},
    ]
    return [json.dumps(each).encode() for each in found]


def app_settings(path: Path) -> None:
    """By the app that takes it; refused where none does."""
    from edgekc.apps import commands, keyword, sensor, vision

    model = path.with_suffix(".tflite")
    readers: tuple[Callable[[], object], ...] = (
        lambda: sensor.settings(model), lambda: vision.settings(model), lambda: keyword.settings(model),
        lambda: commands.settings(model, 2),
    )  # fmt: skip
    refused = []
    for read in readers:
        try:
            read()
        except UsageError as error:
            refused.append(error)
    if len(refused) == len(readers):
        raise refused[0]


def manifest(path: Path) -> None:
    from edgekc.emulate import host
    from edgekc.files.output import check_output, read_manifest

    check_output(path.parent)
    manifest = read_manifest(path.parent)
    host.samples(manifest, 1)
    host.output_bytes(manifest)


def measurement(path: Path) -> None:
    from edgekc.measure.difference import compare_measurements, read_measurement

    found = read_measurement(path)
    compare_measurements(found, found)


def checkpoint(path: Path) -> None:
    from edgekc.compression.checkpoints import read_state

    read_state(path)


def checkpoint_member(inside: Callable[[str], mutations.Mutate]) -> Callable[[str], mutations.Mutate]:
    """How a member of a checkpoint is damaged: its tree as JSON, the rest as in any archive."""
    return lambda name: _tree if name == "tree.npy" else inside(name)


def _tree(rng: random.Random, data: bytes) -> bytes:
    """The JSON inside an array of bytes."""
    size = 10 + int.from_bytes(data[8:10], "little")
    text = mutations.js(rng, data[size:])
    head = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({len(text)},), }}".encode()
    return data[:8] + len(head).to_bytes(2, "little") + head + text
