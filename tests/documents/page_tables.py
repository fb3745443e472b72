"""What the documents' blocks need to be run, and which of them are not run here, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# Pages whose blocks with a language another test runs.
WALKED: Mapping[str, str] = {
    "docs/adding.md": "tests/unit/test_adding.py",
    "docs/environments.md": "tests/packages/test_environments.py",
    "docs/tutorial.md": "tests/unit/test_tutorial.py",
    "docs/tutorial_board.md": "tests/unit/test_tutorial.py",
    "docs/tutorial_compress.md": "tests/unit/test_tutorial.py",
    "docs/tutorial_search.md": "tests/unit/test_tutorial.py",
}

_NETWORK = "a network: it installs"
_TRAINS = "minutes of training, and data that is not here"
_MINUTES = "minutes of a benchmark, and the MLPerf Tiny models"

# A page, how a command or another block starts, and why it is not run. "" is every block that says no language.
NOT_RUN: Sequence[tuple[str, str, str]] = (
    ("README.md", "python3 -m venv .venv", ".ci/run runs both lines, in a fresh clone"),
    ("README.md", "import numpy", "tests/unit/test_readme.py runs it"),
    ("CONTRIBUTING.md", "python3 -m venv .venv", _NETWORK),
    ("CONTRIBUTING.md", "pip ", _NETWORK),
    ("docs/apps.md", "python words/train.py", _TRAINS + "; tests/apps/test_several_words.py trains an epoch"),
    ("docs/apps.md", "edgekc new-app keyword -o mine", "its model comes of that training"),
    ("docs/apps.md", "make -C mine", "its model comes of that training"),
    ("docs/apps.md", "python look/train.py", _TRAINS + "; tests/apps/test_vision.py trains an epoch"),
    ("docs/apps.md", "edgekc new-app vision -o mine", "its model comes of that training"),
    ("docs/apps.md", "python motion/train.py", _TRAINS + "; tests/apps/test_sensor.py trains an epoch"),
    ("docs/apps.md", "edgekc new-app sensor -o mine", "its model comes of that training"),
    ("docs/boards.md", "cmake -B build", "the NDK of Android, and Xcode"),
    ("docs/compilers.md", "python benchmarks/compiler_matrix.py", _MINUTES),
    ("docs/figures.md", "python benchmarks/", _MINUTES),
    ("docs/foreign_models.md", "pip ", _NETWORK),
    ("docs/foreign_models.md", "mkdir found", "it holds what the network gives"),
    ("docs/foreign_models.md", "python benchmarks/foreign_models.py", "models from the network"),
    ("docs/fuzzing.md", "pip ", _NETWORK),
    ("docs/fuzzing.md", "edgekc fuzz --seconds 60", "a minute; tests/sweep/test_drawn_networks.py runs it shorter"),
    ("docs/fuzzing.md", "edgekc verify fuzz-7-1.ekc", "a difference that nobody found; the same file plants one"),
    ("docs/fuzzing.md", "python benchmarks/", "a minute; tests/fuzz/test_device_fuzzers.py runs the harnesses"),
    ("docs/numerics.md", "", "formulas: kernels and their definitions are held against LiteRT, not against this page"),
    ("docs/ram.md", "ek_rows_begin(", "an excerpt of generated C"),
    ("docs/search.md",
     "edgekc search model.onnx --data samples.zip --board nucleo-f446re --max-flash 64k -o out --serve",
     "a second host; tests/search/test_search_command.py serves a study"),
    ("docs/search.md", "edgekc worker HOST", "a second host; tests/search/test_worker.py has workers"),
    ("docs/streaming.md", "pip ", _NETWORK),
    ("docs/streaming.md", "python benchmarks/wake_words.py", "minutes of a benchmark, and models from the network"),
    ("docs/testing.md", "pytest", "these very tests"),
    ("docs/testing.md", ".ci/run", "it installs a system"),
    ("docs/testing.md", "python ", "they write files of the project; tests hold these against what would be written"),
    ("docs/testing.md", "pip ", _NETWORK),
    ("docs/testing.md", "mkdocs", "it serves until it is stopped; tests/unit/test_docs_site.py builds the site"),
    ("docs/testing.md", "edgekc", "two terminals; tests/simulated_mcu/test_walk.py does the same"),
    ("docs/testing.md", "openocd", "two terminals; tests/simulated_mcu/test_walk.py does the same"),
    ("docs/trust_supply.md", "pytest", "these very tests"),
    ("docs/trust_supply.md", "python .ci/static.py", ".ci/run runs it"),
    ("docs/tutorial.md", "pip ", _NETWORK),
    ("docs/tutorial_board.md", "pip ", _NETWORK),
    ("docs/tutorial_board.md", "edgekc verify out --board mine.toml --link", "hardware"),
    ("docs/tutorial_board.md", "edgekc measure out --board mine.toml --link", "hardware"),
    ("docs/tutorial_search.md", "edgekc", "minutes of a search or of training; docs/search.md's are run shorter"),
    ("docs/updates.md", "pip ", _NETWORK),
    ("docs/updates.md", "arm-none-eabi-gcc", "sources of the project; benchmarks/update_costs.py builds them"),
    ("docs/updates.md", "static const ek_update_key", "tests/update/test_received_updates.py compiles it"),
    ("docs/updates.md", "static ek_flash_area", "tests/update/test_received_updates.py compiles it"),
    ("docs/using.md", "edgekc search", "docs/search.md has the same command"),
    ("docs/using.md", "pip install -q '.[arm,flash]' &&", "tests/simulated_mcu/test_walk.py runs it"),
    ("docs/using.md", "edgekc flash out --probe", "tests/simulated_mcu/test_walk.py runs it"),
    ("docs/using.md", "edgekc verify out --probe", "tests/simulated_mcu/test_walk.py runs it"),
    ("docs/using.md", "edgekc measure out --probe", "tests/simulated_mcu/test_walk.py runs it"),
    ("examples/digits/README.md", "python", "a network, and minutes of training"),
    ("examples/digits/README.md", "pip", _NETWORK),
    ("examples/models/README.md", "OMP_NUM_THREADS=1", "hours of training; benchmarks/remake.py runs it"),
    ("examples/models/README.md", "edgekc compress kws_float.tflite", "benchmarks/remake.py runs it"),
)  # fmt: skip

_ARM = ("cc", "arm-none-eabi-gcc", "qemu-system-arm")
# Programs and modules that a page's commands take; where one is missing the page's test is skipped.
NEEDS: Mapping[str, Sequence[str]] = {
    "README.md": (*_ARM, "module unicorn"),
    "docs/apps.md": (*_ARM, "make", "module pymicro_wakeword"),
    "docs/blobs.md": ("gcc",),
    "docs/boards.md": (*_ARM, "gdb-multiarch"),
    "docs/compression.md": ("module torch", "module onnx"),
    "docs/figures.md": _ARM,
    "docs/measuring.md": ("arm-none-eabi-gcc", "module unicorn", "module yaml"),
    "docs/mlperf.md": _ARM,
    "docs/packages.md": ("module ziglang",),
    "docs/ram.md": ("gcc",),
    "docs/report.md": (*_ARM, "module unicorn", "module onnx", "module ziglang"),
    "docs/search.md": (*_ARM, "module unicorn", "module optuna", "module onnx"),
    "docs/streaming.md": ("gcc", "module tflite"),
    "docs/trust.md": ("gcc", "arm-none-eabi-gcc", "module unicorn"),
    "docs/updates.md": (*_ARM, "module cryptography"),
    "docs/using.md": (*_ARM, "gcc", "gdb-multiarch", "module onnx"),
}

# Pages that take a moment. The others are slow tests.
QUICK = ("docs/quantising.md", "docs/streaming.md")

# Pages of which each command is a process from its beginning, as a user's. Those of the others are forked from one that
# has loaded edgekc.
COLD = ("README.md", *QUICK)

# Where words of a page stand for what is not here, or would take long.
INSTEAD: Mapping[str, Mapping[str, str]] = {
    "docs/boards.md": {"nucleo-l4r5zi": "mps2-an386"},  # "the same for real and emulated boards"
    "docs/mlperf.md": {"--data kws=kws01.npz": "--data kws=kws01.npz --samples 4 --iterations 1"},
    "docs/search.md": {"--time 2h": "--epochs 0 --trials 2", 'time="2h"': "epochs=0, trials=2"},
    "docs/trust.md": {"--runs 100": "--runs 5"},
}

# What stands in front of a block that takes names as given, by the page and how the block starts.
GIVEN: Mapping[tuple[str, str], str] = {
    ("docs/apps.md", "from edgekc.apps.frontend"): "import numpy as np\nsamples = np.zeros(16000, np.int16)\n",
    ("docs/apps.md", "from edgekc.apps.mfcc"): "import numpy as np\nsamples = np.zeros(16000, np.int16)\n",
    ("docs/apps.md", "from edgekc.apps.scaling"): "import numpy as np\nframe = np.zeros((120, 160, 1), np.uint8)\n",
    ("docs/compression.md", "import edgekc"): (
        "import numpy as np\nwith np.load('test.npz') as data:\n    data_loader = [(data['x'], data['y'])]\n"
    ),
    ("docs/search.md", "found ="): "import edgekc\n",
    ("docs/streaming.md", "#define"): '#include "wake.h"\n#undef WAKE_STATE_BYTES\n',
}
