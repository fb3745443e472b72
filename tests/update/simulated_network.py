"""A small network in blob mode, and blobs of the same layout with other weights, whose outputs the host knows."""

from __future__ import annotations

import random
import struct
from functools import cache
from pathlib import Path

import blob_nets
from simulated_cuts import Payloads

from edgekc.emulate import host
from edgekc.files.output import read_manifest, write_folder
from edgekc.format.blob import layout_of

_COUNT = 6
_CHANGES = 24  # bytes of weights that differ


def folder_of(target: Path) -> Path:
    """The compiled folder of blob_nets' network."""
    write_folder(blob_nets.files(), target)
    return target


def _changed(blob: bytes, folder: Path, chance: random.Random) -> bytes:
    """Other weights, which no rule bounds: those in front of the biases."""
    layout = layout_of(read_manifest(folder))
    constants = layout.names.index("constants")
    free = min(rule.offset for rule in layout.rules if rule.section == constants)
    start = layout.offsets[constants]
    places = [start + chance.randrange(free) for _ in range(_CHANGES)]
    edits = [struct.pack("<HBB", at, 1, chance.randrange(1, 256)) for at in places]
    return blob_nets.damaged(blob, layout, bytes([blob_nets.SUMS | blob_nets.HEADER_SUM]) + b"".join(edits))


@cache
def blobs_of(folder: Path) -> Payloads:
    """Six blobs for the folder's code, with six outputs; the first is its own."""
    chance = random.Random(11)
    own = (folder / f"{blob_nets.NAME}.blob").read_bytes()
    program = host.build(folder)
    manifest = read_manifest(folder)
    sample = chance.randbytes(host.input_bytes(manifest))
    outputs: dict[bytes, bytes] = {}
    while len(outputs) < _COUNT:
        blob = own if not outputs else _changed(own, folder, chance)
        program.blob[:] = bytearray(blob)
        host._open(program, folder)
        output = host.run(program, sample)
        if output not in outputs.values():
            outputs[blob] = output
    return Payloads(lambda chance: chance.choice(sorted(outputs)), sample, outputs)
