"""Every module that parses bytes from outside is reached by a reader of the fuzzer, or says here why not."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from fuzz_readers import READERS

EDGEKC = Path(__file__).resolve().parents[2] / "edgekc"
PARSES = re.compile(
    r"json\.loads?\(|tomllib|\.read_bytes\(\)|\.open\(\"rb\"\)|read_file\(|np\.load\(|\.read_text\(|csv\.reader|"
    r"wave\.open|load_pem|ELFFile\("
)
OURS = "of this installation, or made a moment ago"
PASSED_ON = "hashes it or passes it on"
CACHE = "a cache of ours: what does not fit is made again"
# Module below edgekc/ -> the reader that reaches it, or why none does.
MODULES = {
    "api/builds.py": OURS, "api/compiling.py": OURS, "api/program.py": ".ekc", "api/reporting.py": OURS,
    "api/results.py": OURS, "api/samples.py": OURS, "api/updates.py": "update", "apps/blank.py": OURS,
    "apps/commands.py": "settings of apps", "apps/cycles.py": OURS, "apps/digit_frames.py": OURS,
    "apps/keyword.py": "settings of apps", "apps/sensor.py": "settings of apps", "apps/vision.py": "settings of apps",
    "apps/write.py": OURS, "cli/run.py": PASSED_ON, "compression/checkpoints.py": "checkpoint",
    "compression/walk.py": PASSED_ON, "console/session.py": ".ekc", "emulate/compare.py": ".ekc",
    "emulate/device.py": OURS, "emulate/litert.py": OURS, "emulate/origin.py": ".ekc", "emulate/plugin.py": OURS,
    "emulate/unicorn_core.py": OURS, "exploration/sensitivity.py": "sensitivities", "files/bounded.py": "update",
    "files/images.py": "image", "files/output.py": "manifest.json", "files/records.py": "checkpoint",
    "files/toml_file.py": "recipe", "firmware/boot2.py": OURS, "firmware/build.py": OURS, "firmware/elf.py": OURS,
    "firmware/flat.py": OURS, "firmware/folder.py": "firmware.json", "firmware/mapfile.py": OURS,
    "firmware/objects.py": CACHE, "flashing/run.py": OURS, "flashing/uf2.py": PASSED_ON, "flashing/usb.py": PASSED_ON,
    "format/blob.py": "blob", "format/decode.py": ".ekc", "fuzzing/building.py": OURS, "fuzzing/device.py": OURS,
    "generate/blobs.py": OURS, "generate/copied.py": OURS, "generate/front_matter.py": ".ekc",
    "generate/sources.py": OURS, "importers/__init__.py": "tflite", "importers/keras/file.py": ".keras",
    "importers/keras/hdf5.py": ".h5", "importers/onnx/external.py": "tests/regression/onnx_external_data",
    "importers/onnx/file.py": ".onnx", "importers/torch/archive.py": ".pt2", "importers/torch/program.py": ".pt2",
    "measure/by_layer.py": ".ekc", "measure/difference.py": "measurement", "measure/ledger.py": OURS,
    "measure/matrix.py": "table of models", "measure/stack.py": OURS, "mlperf/firmware.py": OURS,
    "mlperf/samples.py": "labels of samples", "packages/bom.py": PASSED_ON, "packages/net.py": OURS,
    "packages/wasm.py": OURS, "packages/write.py": OURS, "pipeline.py": PASSED_ON, "report/page.py": OURS,
    "report/searched.py": "search result", "simulate/server.py": "a debugger on this machine",
    "study/finish.py": PASSED_ON, "study/journal.py": "search journal", "train/comparison.py": PASSED_ON,
    "train/loop.py": "checkpoint", "train/reconstruct.py": "checkpoint", "update/keys.py": "key",
    "used.py": "uses of data",
}  # fmt: skip
REASONS = (OURS, PASSED_ON, CACHE, "a debugger on this machine")


@pytest.mark.fast
def test_every_module_that_parses_is_known() -> None:
    found = {p.relative_to(EDGEKC).as_posix() for p in EDGEKC.rglob("*.py") if PARSES.search(p.read_text("utf-8"))}
    assert found - MODULES.keys() == set(), "give the module a reader in fuzz_readers.py, or say here why it needs none"
    assert MODULES.keys() - found == set(), "no longer parses anything"


@pytest.mark.fast
def test_what_reaches_a_module_is_there() -> None:
    known = {*READERS, *REASONS}
    assert [said for said in MODULES.values() if said not in known and not (EDGEKC.parent / said).is_dir()] == []
