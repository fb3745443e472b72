"""Small sound files of every kind that edgekc reads, for the fuzzer to damage; made here, or of tests/data."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import fuzz_own_files as own
import numpy as np

TESTS = Path(__file__).resolve().parents[1]
ROOT = TESTS.parent
CONVERTED = TESTS / "data" / "converter"
Seeds = list[bytes]


def tflite() -> Seeds:
    import looped
    import streaming

    from edgekc.fuzzing import wide

    made = [
        looped.file(0, 3, sequence=True),
        streaming.wake_word(1).file,
        wide.wide_net(3).model(),
        wide.wide_net(25).model(),
    ]
    return [*(path.read_bytes() for path in sorted(CONVERTED.glob("*.tflite"))), *made]


def tflite_float() -> Seeds:
    folders = [CONVERTED / "refused", CONVERTED / "loops"]
    return [path.read_bytes() for folder in folders for path in sorted(folder.glob("*.tflite"))]


def ekc() -> Seeds:
    import nets
    import streaming

    from edgekc.format.pack import pack
    from edgekc.fuzzing import wide
    from edgekc.graph.ir import Stage
    from edgekc.importers import import_model
    from edgekc.pipeline import to_integer

    found = []
    for path in sorted(CONVERTED.glob("*.tflite")):
        try:
            graph = import_model(path, "net")
        except Exception:
            continue
        if graph.stage is Stage.QUANTIZED:
            found.append(pack(to_integer(graph, {"source": path.name})))
    net = nets.Net(np.random.default_rng(0), (1, 6, 5, 3))
    x = net.conv("input", 4)
    found.append(pack(to_integer(net.graph(net.depthwise(x)), {})))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "streaming.tflite"
        path.write_bytes(streaming.wake_word(1).file)
        found.append(pack(to_integer(import_model(path, "net"), {})))
        path.write_bytes(wide.wide_net(25).model())
        found.append(pack(to_integer(import_model(path, "net"), {})))
    return [data for data in found if len(data) < 8000] + _packed()


def _packed() -> Seeds:
    """Packed layers of every method: clusters, templates and pairs."""
    from float_nets import FloatNet

    from edgekc import recipe as rc
    from edgekc.compression.run import compress
    from edgekc.format.pack import pack
    from edgekc.pipeline import to_integer

    found = []
    for text in ('method = "cluster"\nbits = 3', 'method = "codebook"\ntemplates = 4'):
        net = FloatNet(np.random.default_rng(0), (1, 6, 6, 3))
        graph = net.graph(net.fully_connected(net.mean(net.conv("input", 4)), 3))
        recipe = rc.parse(f"[[compress]]\n{text}\n")
        found.append(pack(to_integer(compress(graph, recipe, None).graph, {})))
    return found


def onnx() -> Seeds:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    node = helper.make_node

    def model(nodes: list[object], shape: list[int], constants: dict[str, object], functions: object = ()) -> bytes:
        graph = helper.make_graph(
            nodes,
            "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()],
        )
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
        made = helper.make_model(graph, opset_imports=opsets, ir_version=8, functions=list(functions))  # type: ignore[call-overload]
        data: bytes = made.SerializeToString()
        return data

    def floats(*shape: int) -> object:
        return rng.normal(0, 1, shape).astype(np.float32)

    one = np.array(1.0, np.float32)
    network = model(
        [
            node("Conv", ["x", "c.weight", "c.bias"], ["a"], pads=[1, 1, 1, 1], strides=[2, 2]),
            node("BatchNormalization", ["a", "s", "b", "m", "v"], ["n"]),
            node("Relu", ["n"], ["r"]),
            node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
            node("Flatten", ["p"], ["f"]),
            node("Gemm", ["f", "fc.weight", "fc.bias"], ["g"], transB=1),
            node("Softmax", ["g"], ["y"]),
        ],
        [1, 3, 8, 8],
        {"c.weight": floats(4, 3, 3, 3), "c.bias": floats(4), "s": np.ones(4, np.float32), "b": floats(4),
         "m": floats(4), "v": np.ones(4, np.float32), "fc.weight": floats(3, 16), "fc.bias": floats(3)},
    )  # fmt: skip
    shapes = model(
        [
            node("ConstantOfShape", ["dims"], ["fill"]),
            node("Expand", ["one", "dims"], ["wide"]),
            node("Tile", ["one1", "times"], ["tiled"]),
            node("Range", ["zero", "four", "step"], ["ranged"]),
            node("Gather", ["tiled", "rows"], ["taken"], axis=0),
            node("Concat", ["ranged", "taken"], ["joined"], axis=0),
            node("Slice", ["joined", "start", "end"], ["part"]),
            node("Mul", ["fill", "wide"], ["zeros"]),
            node("Unsqueeze", ["part", "axes"], ["row"]),
            node("Add", ["row", "zeros"], ["k"]),
            node("Pad", ["x", "pads"], ["padded"]),
            node("Add", ["padded", "k"], ["summed"]),
            node("Reshape", ["summed", "target"], ["y"]),
        ],
        [1, 4],
        {"dims": np.array([1, 4]), "one": one, "one1": np.ones(1, np.float32), "times": np.array([3]),
         "zero": np.array(0.0, np.float32), "four": np.array(4.0, np.float32), "step": one, "rows": np.array([0, 1]),
         "start": np.array([0]), "end": np.array([4]), "axes": np.array([0]), "pads": np.array([0, 0, 0, 0]),
         "target": np.array([1, -1])},
    )  # fmt: skip
    quantised = model(
        [
            node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
            node("DequantizeLinear", ["xq", "xs", "xz"], ["xd"]),
            node("DequantizeLinear", ["w", "ws", "wz"], ["wd"]),
            node("Conv", ["xd", "wd"], ["a"], pads=[1, 1, 1, 1]),
            node("QuantizeLinear", ["a", "as", "xz"], ["aq"]),
            node("DequantizeLinear", ["aq", "as", "xz"], ["y"]),
        ],
        [1, 2, 4, 4],
        {"xs": np.array(0.03, np.float32), "xz": np.array(3, np.int8), "as": np.array(0.1, np.float32),
         "w": rng.integers(-127, 128, (3, 2, 3, 3)).astype(np.int8), "ws": np.array(0.02, np.float32),
         "wz": np.array(0, np.int8)},
    )  # fmt: skip
    function = helper.make_function(
        "own", "Twice", ["i"], ["o"], [node("Add", ["i", "i"], ["o"])], [helper.make_opsetid("", 17)]
    )
    called = model(
        [node("Twice", ["x"], ["t"], domain="own"), node("Relu", ["t"], ["y"])], [1, 2, 3, 3], {}, [function]
    )
    assert onnx.load_model_from_string(called).functions
    return [network, shapes, quantised, called]


def npz() -> Seeds:
    rng = np.random.default_rng(0)
    found = []
    for save, x, more in (
        (np.savez, rng.normal(size=(3, 4, 4, 1)).astype(np.float32), {"y": np.array([0, 1, 2])}),
        (np.savez_compressed, rng.integers(-9, 9, (3, 5)).astype(np.int8),
         {"y": np.array([0, 1, 1], np.uint8), "scale": np.float32(0.5), "zero_point": np.int32(-2)}),
        (np.savez_compressed, np.asfortranarray(rng.normal(size=(2, 6))), {}),
    ):  # fmt: skip
        buffer = io.BytesIO()
        save(buffer, x=x, **more)
        found.append(buffer.getvalue())
    return found


def images() -> Seeds:
    from PIL import Image

    found = []
    pixels = np.random.default_rng(0).integers(0, 255, (7, 6, 3), dtype=np.uint8)
    for kind, mode in (("PNG", "RGB"), ("PNG", "P"), ("PNG", "RGBA"), ("JPEG", "RGB"), ("BMP", "RGB"), ("PPM", "L"),
                       ("WEBP", "RGB"), ("GIF", "RGB"), ("TIFF", "RGB"), ("EPS", "RGB")):  # fmt: skip
        buffer = io.BytesIO()
        Image.fromarray(pixels).convert(mode).save(buffer, kind)
        found.append(buffer.getvalue())
    return found


def image_zips() -> Seeds:
    suffixes = ("png", "png", "png", "jpg", "bmp", "ppm", "webp")
    found = []
    for group in ((0, 3, 4), (0, 6), (5,)):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for split in ("train", "test"):
                for name in ("a", "b"):
                    for i in group:
                        archive.writestr(f"{split}/{name}/{i}.{suffixes[i]}", images()[i])
        found.append(buffer.getvalue())
    return found


def recipes() -> Seeds:
    from edgekc import recipe as rc

    files = [path.read_bytes() for path in sorted((ROOT / "examples" / "recipes").glob("*.toml"))]
    return [*files, rc.dump(rc.parse(files[0].decode())).encode()]


def boards() -> Seeds:
    names = ("mps2-an386", "nucleo-f412zg", "rpi4", "rpi-pico", "corstone-300", "frdm-mcxn947")
    return [(ROOT / "boards" / name / "board.toml").read_bytes() for name in names]


def manifests() -> Seeds:
    from edgekc.pipeline import Target, compile_model

    target = Target("mps2-an386", frozenset(("dsp", "fpu", "thumb2")), None, None)
    found = []
    for name in ("alone", "two_in_two_out"):
        made = compile_model(CONVERTED / f"{name}.tflite", "net", target)
        found.append(made.files["manifest.json"])
    return found


def measurements() -> Seeds:
    layer = {"name": "conv_0", "instructions": [10, 11], "cycles": None}
    entry = {"of_model": True, "kind": "weights", "size_bytes": 20}
    found = {
        "model_flash_bytes": 100, "ledger": {"flash": [entry, entry]},
        "by_layer": [{"layer": "conv_0", "size_bytes": 9}],
        "arena_bytes": 64, "model_ram_bytes": 80, "stack_bytes": None, "painted_stack_bytes": 90,
        "instructions": [100, 101], "cycles": None, "layers": [layer, layer],
    }  # fmt: skip
    return [json.dumps(found).encode()]


def checkpoints() -> Seeds:
    from dataclasses import replace

    from float_nets import FloatNet

    from edgekc import recipe as rc
    from edgekc.compression.model import Model
    from edgekc.compression.state import Job, State
    from edgekc.data import for_graph, synthetic
    from edgekc.files import records
    from edgekc.quantize.to_int8 import prepare

    net = FloatNet(np.random.default_rng(0), (1, 6, 6, 3))
    graph = prepare(net.graph(net.fully_connected(net.mean(net.conv("input", 4)), 3)))
    recipe = rc.parse(
        '[[compress]]\nmethod = "codebook"\nlayers = ["conv*"]\ntemplates = 4\n'
        '[[compress]]\nmethod = "pairs"\nbits = 2\n[[compress]]\nmethod = "cluster"\nlayers = ["fully*"]\nbits = 2\n'
    )
    samples = synthetic(graph, 4, 0, None)
    job = Job(graph, recipe, None, for_graph(samples, graph), lambda text: None, lambda title, progress: None)
    state, found = State(Model(graph)), []
    for i, step in enumerate(recipe.compress):
        state = step.apply(replace(job, where=f"compress[{i}]"), state)
        found.append(records.dump(state, State))
    return found


def console() -> Seeds:
    """What a board sends: a greeting, then answers to a whole run."""
    import struct

    from edgekc.console.protocol import HELLO, LAYER, LAYERS, READ, REPLY, RUN, TEXT, WRITE, Frame, encode

    replies = (
        (HELLO, struct.pack("<6I", 1, 2, 8, 4, 64, 1_000_000) + b"net"), (WRITE, b""),
        (RUN, struct.pack("<6I", 0, 100, 0, 90, 0, 2)), (READ, b"\1\2\3\4"),
        (LAYERS, struct.pack("<4I", 1, 2, 3, 4)), (LAYER, b"\5\6\7\10"),
    )  # fmt: skip
    whole = b"".join(encode(Frame(kind | REPLY, i + 1, payload)) for i, (kind, payload) in enumerate(replies))
    return [whole, encode(Frame(TEXT, 0, b"fault")) + whole, encode(Frame(TEXT, 0, b"")) + whole]


def pt2() -> Seeds:
    import fuzz_torch
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm, self.dense = nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Linear(3, 2)
            self.register_buffer("k", torch.arange(3.0))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.relu(self.norm(self.conv(x)))
            y = nn.functional.max_pool2d(y, 2) * self.k.exp().reshape(1, 3, 1, 1)
            out: torch.Tensor = self.dense(y.mean((2, 3)) + torch.ones(3))
            return out

    found = []
    for shapes in (None, ({0: torch.export.Dim("batch")},)):
        torch.manual_seed(0)
        program = torch.export.export(Net().eval(), (torch.zeros(2, 2, 4, 4),), dynamic_shapes=shapes)
        buffer = io.BytesIO()
        torch.export.save(program, buffer)
        found.append(buffer.getvalue())
    return found + fuzz_torch.programs()


def keras(suffix: str) -> Seeds:
    import tempfile

    from tensorflow import keras as k

    found = []
    with tempfile.TemporaryDirectory() as folder:
        x = k.Input((6, 6, 2))
        y = k.layers.Conv2D(3, 3, padding="same", activation="relu")(x)
        y = k.layers.Add()([y, k.layers.BatchNormalization()(y)])
        y = k.layers.Dense(2, activation="softmax")(k.layers.GlobalAveragePooling2D()(y))
        path = Path(folder) / f"net{suffix}"
        k.Model(x, y).save(path)
        found.append(path.read_bytes())
    return found


def _operators(name: str) -> Seeds:
    import fuzz_operators

    found: Seeds = getattr(fuzz_operators, name)()
    return found


SEEDS: dict[str, Callable[[], Seeds]] = {
    "tflite": tflite, "float .tflite": tflite_float, ".ekc": ekc, ".onnx": onnx, ".npz": npz, "image": images,
    "zip of images": image_zips, "recipe": recipes, "board": boards, "manifest.json": manifests,
    "measurement": measurements, "checkpoint": checkpoints, "console": console, ".pt2": pt2,
    ".keras": lambda: keras(".keras"), ".h5": lambda: keras(".h5"),
    "tflite operators": lambda: _operators("tflite"), "float operators": lambda: _operators("tflite_float"),
    ".onnx operators": lambda: _operators("onnx"), "update": own.updates, "key": own.keys, "blob": own.blobs,
    "blob manifest": own.blob_manifests, "firmware.json": own.firmware, "search result": own.searches,
    "sensitivities": own.sensitivities, "search journal": own.journals, "uses of data": own.uses,
    "labels of samples": own.labels, "settings of apps": own.settings, "table of models": own.tables,
    "frames": own.frames,
}  # fmt: skip
