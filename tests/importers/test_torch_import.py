"""Programs of torch.export and modules: every import computes what torch does."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the PyTorch importer needs torch")
from onnx_models import SHARED, close, nhwc  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812
from torch_nets import imported  # noqa: E402

from edgekc.errors import EdgekcError, ModelError, UnsupportedError, UsageError  # noqa: E402
from edgekc.graph.ir import Stage  # noqa: E402
from edgekc.importers.onnx.importer import import_onnx  # noqa: E402
from edgekc.importers.torch.importer import import_torch  # noqa: E402
from edgekc.ops import legal  # noqa: E402
from edgekc.quantize import float_reference  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's own deprecations


class Apply(nn.Module):
    """A module from a function of some layers and the input."""

    def __init__(self, forward, **layers):
        super().__init__()
        self.layers = nn.ModuleDict(layers)
        self.function = forward

    def forward(self, *inputs):
        return self.function(self.layers, *inputs)


def lively(module):
    """Norms as training leaves them; torch's fresh ones are identities."""
    for part in module.modules():
        if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d)):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
            nn.init.normal_(part.weight)
            nn.init.normal_(part.bias)
    return module.eval()


def check_same(module, *shapes, samples=3):
    """Import the module and compare with torch on a few samples."""
    torch.manual_seed(0)
    module = lively(module)
    inputs = [torch.randn(samples, *s) for s in shapes]
    graph = import_torch(module, "net", tuple(inputs))
    assert graph.stage is Stage.FLOAT
    legal.check(graph)
    with torch.no_grad():
        want = module(*inputs)
    want = want if isinstance(want, tuple) else (want,)
    got = float_reference.outputs(graph, [nhwc(x.numpy()) for x in inputs])
    for a, b in zip(got, want, strict=True):
        close(a, nhwc(b.numpy()))
    return graph


def ops(graph):
    return [n.op for n in graph.nodes if n.op != "reshape"]


@pytest.mark.parametrize(
    ("attrs", "size"),
    [
        (dict(kernel_size=3, padding=1), (7, 5)),
        (dict(kernel_size=(3, 2), stride=(2, 1), padding=(1, 0)), (8, 7)),
        (dict(kernel_size=3, dilation=2, padding="same"), (6, 9)),
        (dict(kernel_size=2, padding="same", bias=False), (6, 5)),
        (dict(kernel_size=5, stride=3, groups=4), (11, 8)),
        (dict(kernel_size=3, padding=1, stride=2, groups=2), (8, 7)),
        (dict(kernel_size=1), (3, 3)),
    ],
)
def test_convolutions(attrs, size):
    conv = nn.Conv2d(4, 8, **attrs)
    graph = check_same(nn.Sequential(conv, nn.BatchNorm2d(8), nn.ReLU6()), (4, *size))
    (node,) = graph.nodes
    assert node.op == {1: "conv2d", 2: "grouped_conv2d", 4: "depthwise"}[conv.groups]
    assert (node.name, node.attrs["activation"]) == (f"{node.op}_0", "relu6")


@pytest.mark.parametrize(
    "pool",
    [
        nn.MaxPool2d(2),
        nn.MaxPool2d(3, 2, 1),
        nn.MaxPool2d((2, 3), ceil_mode=True),
        nn.AvgPool2d(2, 3),
        nn.AvgPool2d(3, 2, 1),
        nn.AvgPool2d(3, 2, 1, count_include_pad=False),
        nn.AvgPool2d(3, 2, 1, ceil_mode=True),
        nn.AdaptiveAvgPool2d(1),
        nn.AdaptiveAvgPool2d((4, 2)),
    ],
    ids=str,
)
def test_pools(pool):
    check_same(pool, (3, 8, 6))


def written(x):
    """Parts of tensors written anew: TSM's shift over time, then numbers and one row."""
    out = torch.zeros_like(x)
    out[:, :-1, :2] = x[:, 1:, :2]
    out[:, :, 2:] = x[:, :, 2:]
    out[:, 2:4] = 1.0
    out[:, 5] = x[:, 0]
    return out.masked_fill(torch.ones(7, 6).triu(3).bool(), -1.0)


FUNCTIONS = {
    "written-anew": (lambda m, x: written(x), (7, 6)),
    "circular": (lambda m, x: F.pad(x, (1, 2, 3, 0), mode="circular"), (3, 4, 5)),
    "replicate": (lambda m, x: F.pad(x, (2, 0, 0, 1), mode="replicate"), (3, 4, 5)),
    "over-rows": (lambda m, x: torch.cumsum(x, 2) + torch.logsumexp(x, 2, keepdim=True), (7, 6)),
    "logarithms": (lambda m, x: torch.log1p(x * x) + torch.log10(x.exp()) + torch.expm1(x) + x.exp().log2(), (7, 6)),
    "whole-numbers": (lambda m, x: (x * 3).floor() + (x * 3).ceil() + (x * 3).round(), (7, 6)),
    "clamp-by-tensors": (lambda m, x: x.clamp(x.mean(1, keepdim=True), torch.tensor(1.5)), (7, 6)),
    "embedded-places": (lambda m, x: m["e"](torch.arange(7)) + x, (7, 6)),
    "alpha": (lambda m, x: torch.sub(m["c"](x), m["c"](x), alpha=3), (3, 4, 5)),
    "mlp": (lambda m, x: m["b"](F.dropout(torch.tanh(torch.sigmoid(m["a"](x))), 0.5, False)), (6,)),
    "flatten": (lambda m, x: m["f"](F.relu(m["c"](x)).flatten(1)), (3, 4, 5)),
    "view": (lambda m, x: F.softmax(m["f"](m["c"](x).contiguous().view(x.shape[0], -1)), dim=1), (3, 4, 5)),
    "norm-of-features": (lambda m, x: m["g"](m["f"](torch.flatten(m["c"](x), 1))), (3, 4, 5)),
    "mean": (lambda m, x: m["c"](x).mean((2, 3)), (3, 4, 5)),
    "mean-of-rows": (lambda m, x: m["c"](x).mean(2, keepdim=True), (3, 4, 5)),
    "gate": (lambda m, x: x * torch.sigmoid(F.adaptive_avg_pool2d(x, 1)), (3, 4, 5)),
    "cat": (lambda m, x: torch.cat([m["c"](x), x, x + x], 1), (3, 4, 5)),
    "hardswish": (lambda m, x: F.hardswish(m["c"](x)), (3, 4, 5)),
    "silu": (lambda m, x: F.silu(m["c"](x)), (3, 4, 5)),
    "pad": (lambda m, x: F.pad(x, (1, 2, 0, 3)), (3, 4, 5)),
    "squeezes": (lambda m, x: m["c"](x).mean((2, 3), True).squeeze(-1).squeeze(-1).unsqueeze(1), (3, 4, 5)),
    "arithmetic": (lambda m, x: (2 - (x - 1.5) / 3) * 0.25 - x, (3, 4, 5)),
    "relu-n1": (lambda m, x: F.hardtanh(m["c"](x)), (3, 4, 5)),
    "clamp-min": (lambda m, x: m["c"](x).clamp(min=0), (3, 4, 5)),
    "rows-of-sums": (lambda m, x: F.relu(x @ m["a"].weight.T).softmax(-1).mean(1), (7, 6)),
    "rows-of-vectors": (lambda m, x: m["b"](F.relu(m["a"](x))), (7, 6)),
    "permute": (lambda m, x: m["p"](m["c"](x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2), (3, 4, 5)),
    "two-outputs": (lambda m, x: (F.relu(m["c"](x)), m["f"](torch.flatten(m["c"](x), 1))), (3, 4, 5)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    torch.manual_seed(1)
    function, shape = FUNCTIONS[name]
    layers = dict(
        a=nn.Linear(6, 5), b=nn.Linear(5, 4, bias=False), c=nn.Conv2d(3, 4, 3, padding=1), f=nn.Linear(80, 7),
        g=nn.BatchNorm1d(7), p=nn.Linear(4, 3), e=nn.Embedding(9, 6),
    )  # fmt: skip
    check_same(Apply(function, **layers), shape)


def test_parts_of_a_sample_in_front():
    """Windows, and rows of one, in the place of the batch."""
    windows = Apply(lambda m, x: F.normalize(x.view(4, 3, 2, 7).transpose(1, 2), dim=-1).reshape(1, -1))
    imported(windows, (24, 7))

    def rows(m, x):
        y = x.view(4, 1, 6) * 2
        return torch.cat([y[:1] + 1, y[1:] * x.view(4, 1, 6)[:3]], 0).view(1, 24)

    imported(Apply(rows), (4, 6))


@pytest.mark.parametrize("padding", [0, 1])
def test_normalisation_inside_the_model(padding):
    """Raw pixels in: (x - mean) / std goes into the convolution where that is exact at the borders."""
    mean, std = torch.tensor([120.0, 110, 100]).view(1, 3, 1, 1), torch.tensor([60.0, 61, 62]).view(1, 3, 1, 1)
    model = Apply(lambda m, x: m["c"]((x - mean) / std), c=nn.Conv2d(3, 4, 3, padding=padding))
    assert ops(check_same(model, (3, 6, 6))) == ["add"] * padding + ["conv2d"]


def test_several_inputs():
    graph = check_same(Apply(lambda m, x, y: x.flatten(1) @ torch.ones(12, 2) + y), (3, 2, 2), (2,))
    assert graph.inputs == ("input", "input_1")


def test_layers_are_named_like_the_users_modules():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
            self.head = nn.Linear(4, 2)

        def forward(self, x):
            return self.head(self.stem(x).mean((2, 3)))

    graph = check_same(Block(), (3, 4, 4))
    assert [n.name for n in graph.nodes] == ["stem_0", "mean_0", "head"]
    assert graph.tensors["stem_0/weights"].shape == (4, 1, 1, 3)


def test_a_module_keeps_its_mode_and_its_values():
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5))
    module[2].eval()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    import_torch(module, "net", torch.zeros(4, 1, 5, 5))
    assert [part.training for part in module] == [True, True, False]
    assert all(torch.equal(before[k], v) for k, v in module.state_dict().items())


def test_a_free_batch_size(tmp_path):
    layers = {"c": nn.Conv2d(1, 2, 3), "f-0/x": nn.Linear(18, 3)}  # names as torchvision's regnet has them
    module = Apply(lambda m, x: m["f-0/x"](m["c"](x).view(x.shape[0], -1)), **layers).eval()
    dynamic = {"inputs": ({0: torch.export.Dim("batch", min=1, max=64)},)}
    program = torch.export.export(module, (torch.zeros(4, 1, 5, 5),), dynamic_shapes=dynamic)
    path = tmp_path / "net.pt2"
    torch.export.save(program, path)
    x = torch.randn(3, 1, 5, 5)
    for source in (program, path):
        graph = import_torch(source, "net")
        assert graph.tensors["input"].shape == (1, 5, 5, 1)
        close(float_reference.outputs(graph, [nhwc(x.numpy())])[0], module(x).detach().numpy())


def test_resnet8_and_its_onnx_twin():
    path = SHARED / "models" / "resnet8_cifar10jpeg.pt2"
    if not path.is_file():
        pytest.skip(f"{path.name} is not here: the trained models are not part of the project")
    graph = import_torch(path, "resnet8")
    module = torch.export.load(path).module()
    x = np.random.default_rng(7).uniform(0, 255, (20, 3, 32, 32)).astype(np.float32)
    with torch.no_grad():
        want = torch.cat([module(torch.from_numpy(row[None])) for row in x]).numpy()
    got = float_reference.outputs(graph, [nhwc(x)])[0]
    close(got, want)
    pytest.importorskip("onnx", reason="the ONNX importer needs the package onnx")
    twin = import_onnx(path.with_suffix(".onnx"), "resnet8")
    assert twin.nodes == graph.nodes
    close(float_reference.outputs(twin, [nhwc(x)])[0], got)


UNSUPPORTED = {
    "operator": (
        nn.Sequential(nn.Conv2d(2, 2, 1), Apply(lambda m, x: x.lgamma())),
        r"\(aten.lgamma\) in module '1' \(Apply\): this operator is not implemented; supported: ",
    ),
    "three-dimensions": (
        Apply(lambda m, x: m["c"](x[:, :, None]), c=nn.Conv3d(2, 2, (1, 3, 3))),
        r"\(aten.convolution\) in module 'layers.c' \(Conv3d\): .*supported: 1 or 2 spatial axes",
    ),
    "indices": (Apply(lambda m, x: x[:, x[0, 0, 0].long() * 0]), "not implemented|computed at run time|a cast to"),
    "strides": (Apply(lambda m, x: x.as_strided((1, 2, 5, 5), (50, 1, 10, 2))), "as_strided that is no identity"),
    "input-type": (Apply(lambda m, x: x * 2), "integers that are computed at run time"),
}


@pytest.mark.parametrize("case", UNSUPPORTED)
def test_unsupported_constructs_are_named(case):
    module, message = UNSUPPORTED[case]
    x = torch.zeros(1, 2, 5, 5)
    if case == "input-type":
        x = x.long()
    with pytest.raises(UnsupportedError, match=message) as error:
        import_torch(module, "net", x)
    assert "\n" not in str(error.value)
    obstacles = getattr(error.value, "obstacles", (error.value,))
    assert all(str(obstacle).startswith("torch model net: ") for obstacle in obstacles)


def test_programs_in_training_mode():
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).train()
    program = torch.export.export(module, (torch.zeros(2, 1, 5, 5),))
    with pytest.raises(UnsupportedError, match=r"batch size 2|model\.eval\(\)"):
        import_torch(program, "net")
    program = torch.export.export(module, (torch.zeros(1, 1, 5, 5),))
    with pytest.raises(UnsupportedError, match=r"call model\.eval\(\) before torch\.export"):
        import_torch(program, "net")


def test_weights_that_are_no_numbers():
    module = nn.Conv2d(1, 2, 3)
    module.weight.data[0, 0, 1, 1] = float("nan")
    with pytest.raises(ModelError, match="tensor 'weight' hold NaN or infinity"):
        import_torch(module, "net", torch.zeros(1, 1, 5, 5))


def test_wrong_arguments():
    with pytest.raises(UsageError, match="needs example_inputs"):
        import_torch(nn.Linear(2, 3), "net")
    with pytest.raises(UsageError, match="example_inputs must be tensors"):
        import_torch(nn.Linear(2, 3), "net", ([1, 2],))
    with pytest.raises(UsageError, match="a dict; expected an ExportedProgram"):
        import_torch({}, "net")
    with pytest.raises(UnsupportedError, match=r"torch\.export cannot trace the module"):
        import_torch(Apply(lambda m, x: x if x.sum() > 0 else -x), "net", torch.zeros(1, 2))


def _saved(tmp_path):
    path = tmp_path / "net.pt2"
    torch.export.save(torch.export.export(nn.Linear(3, 2).eval(), (torch.zeros(1, 3),)), path)
    return path


def test_damaged_files(tmp_path):
    data = _saved(tmp_path).read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "damaged.pt2"
    for k in range(12):
        broken = bytearray(data)
        for at in rng.integers(0, len(data), 40):
            broken[at] = rng.integers(0, 256)
        path.write_bytes(bytes(broken) if k % 2 else data[: int(rng.integers(0, len(data)))])
        try:
            import_torch(path, "net")
        except EdgekcError as error:
            assert "\n" not in str(error)  # noqa: PT017
    path.write_text("no zip")
    with pytest.raises(ModelError, match="no zip archive"):
        import_torch(path, "net")
    torch.save(nn.Linear(3, 2).state_dict(), path)
    with pytest.raises(ModelError, match="a state dict, or written by an older torch"):
        import_torch(path, "net")


@pytest.mark.parametrize("how", ["pickled-weight", "object", "library"])
def test_archives_that_would_run_code(tmp_path, how):
    """torch unpickles some parts of an archive: such files are refused before torch sees them."""
    source, path = _saved(tmp_path), tmp_path / "hostile.pt2"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if how == "pickled-weight" and name.endswith("_weights_config.json"):
                record = json.loads(content)
                next(iter(record["config"].values()))["use_pickle"] = True
                content = json.dumps(record).encode()
            new.writestr(name, content)
        root = old.namelist()[0].split("/")[0]
        if how == "object":
            new.writestr(f"{root}/data/constants/opaque_obj_0", b"cos\nsystem\n")
        if how == "library":
            new.writestr(f"{root}/data/aotinductor/model/x.so", b"\x7fELF")
    with pytest.raises(UnsupportedError, match="pickled objects or native code"):
        import_torch(path, "net")
