"""`edgekc check`: how operators run, and everything that stands in the way, and nothing that only follows from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from cli_command import MODEL, call, complaint, snapshot

import edgekc
from edgekc.importers.tflite import file, float32, int8

CONVERTED = sorted((Path(__file__).resolve().parents[1] / "data" / "converter").glob("*.tflite"))
FLOAT = sorted((Path(__file__).resolve().parents[1] / "data" / "converter" / "refused").glob("float*.tflite"))


def without(handlers: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: handler for key, handler in handlers.items() if key != name}


@pytest.mark.parametrize("path", [MODEL, *CONVERTED], ids=lambda path: path.stem)
def test_each_operator_refused_alone(path: Path) -> None:
    """With one handler taken away, the operators of that name are the list: no more, and no less."""
    whole = edgekc.check(path)
    assert whole.ok and [op.index for op in whole.operators] == list(range(len(whole.operators)))
    model = file.read(path.read_bytes(), path.name)
    integers = {t.index for t in model.tensors if t.dtype in ("int32", "int64")}
    on_shapes = {op.index for op in model.operators if integers.issuperset(op.outputs)}
    kernels = {symbol for op in whole.operators for symbol in op.kernels}
    program = edgekc.compile(path)
    assert kernels == {layer["kernel"] for layer in program.manifest["layers"]}
    for name in {op.operator for op in whole.operators}:
        if name not in int8.HANDLERS:
            continue  # folded away on shapes
        with patch.object(int8, "HANDLERS", without(int8.HANDLERS, name)):
            found = edgekc.check(path)
        meant = [op.index for op in whole.operators if op.operator == name and op.index not in on_shapes]
        assert [o.operator for o in found.obstacles] == meant, (name, [str(o) for o in found.obstacles])
        assert [op.index for op in found.operators if op.runs == "refused"] == meant


def test_several_are_a_list_in_order(tmp_path: Path) -> None:
    """`compile` prints what `check` lists, writes nothing, and the errors in Python have the same."""
    path = next(path for path in CONVERTED if path.stem == "branches")
    few = {key: h for key, h in int8.HANDLERS.items() if key not in ("ADD", "MUL", "CONCATENATION")}
    with patch.object(int8, "HANDLERS", few):
        found = edgekc.check(path)
        result = call("compile", path, "-o", tmp_path / "out")
        with pytest.raises(
            edgekc.UnsupportedError, match=r"^7 obstacles: .*operator 0 MUL.* \| .*CONCATENATION"
        ) as error:
            edgekc.load(path)
    assert [o.operator for o in found.obstacles] == [0, 1, 5, 8, 9, 10, 12]
    assert list(map(str, error.value.obstacles)) == list(map(str, found.obstacles))
    assert result.code == 2 and snapshot(tmp_path) == {}
    lines = result.err.splitlines()
    assert lines[0] == "edgekc: error: 7 obstacles:" and len(lines) == 8
    assert [line.strip() for line in lines[1:]] == list(map(str, found.obstacles))


def test_import_and_lowering_are_one_list() -> None:
    """A handler that is missing and a layer that has no integers stand in one list."""
    path = next(path for path in CONVERTED if path.stem == "branches")

    def no_integers(view: Any) -> Any:
        raise edgekc.UnsupportedError("not this one", where=view.node.name)

    with (
        patch.object(int8, "HANDLERS", without(int8.HANDLERS, "ADD")),
        patch.dict("edgekc.passes.lower.LOWER", {"max_pool": no_integers}),
    ):
        found = edgekc.check(path)
    assert [(o.operator, o.what[:12]) for o in found.obstacles if o.operator == 4] == [(4, "not this one")]
    assert [o.operator for o in found.obstacles] == [1, 4, 8, 10]
    with patch.dict("edgekc.passes.lower.LOWER", {"max_pool": no_integers}):
        found = edgekc.check(path)
    assert [str(o) for o in found.obstacles] == ["max_pool_4: not this one"]
    assert [op.runs for op in found.operators].count("refused") == 1


@pytest.mark.parametrize("path", FLOAT, ids=lambda path: path.stem)
def test_float_files(path: Path) -> None:
    found = edgekc.check(path)
    assert found.ok and found.stage == "float"
    assert found.operators[-1].kernels
    with patch.object(float32, "_HANDLERS", {}):
        found = edgekc.check(path)
    assert [o.operator for o in found.obstacles] == [op.index for op in found.operators if op.runs == "refused"]


def test_what_the_command_prints() -> None:
    result = call("check", MODEL)
    assert (result.code, result.err) == (0, "") and "ek_conv2d" in result.out
    found = json.loads(call("check", MODEL, "--json", "--board", "microbit").out)
    assert found["ok"] and found["board"] == "microbit" and found["stage"] == "quantised"
    assert not any("dsp" in kernel for op in found["operators"] for kernel in op["kernels"])
    with patch.object(int8, "HANDLERS", {}):
        result = call("check", MODEL)
    assert result.code == 2 and result.err == ""
    assert sum("is not implemented" in line for line in result.out.splitlines()) == len(found["operators"])
    assert "cannot be read" in complaint(call("check", MODEL.parent / "absent.tflite"))


def test_packed_models_and_boards_that_are_too_small(tmp_path: Path) -> None:
    packed = edgekc.compile(MODEL, name="digits").save(tmp_path / "out") / "digits.ekc"
    found = edgekc.check(packed)
    assert found.ok and found.stage == "packed" and all(op.runs != "folded away" for op in found.operators)
    board = edgekc.load_board("microbit")
    with patch("edgekc.api.checking.check_fit", side_effect=edgekc.CapacityError("too large", where="board microbit")):
        found = edgekc.check(edgekc.load(packed), board=board)
    assert [str(o) for o in found.obstacles] == ["board microbit: too large"]
    assert all(op.runs != "refused" for op in found.operators)


def test_damage_ends_at_once() -> None:
    with pytest.raises(edgekc.ModelError, match="is read before it is written"):
        _damaged()


def _damaged() -> None:
    """A file whose first operator is refused and whose third reads what nobody writes."""
    from edgekc.importers.tflite import file

    model = file.read(MODEL.read_bytes(), "net.tflite")
    operators = list(model.operators)
    last = operators[-1]
    absent = max(i for op in operators for i in op.outputs)
    others = [t.index for t in model.tensors if t.data is None and t.index not in model.inputs]
    unwritten = next(i for i in others if i >= absent)
    operators[-1] = type(last)(last.index, last.builtin, (unwritten, *last.inputs[1:]), last.outputs, last.options)
    broken = file.FileModel(model.tensors, tuple(operators), model.inputs, model.outputs)
    with patch.object(int8, "HANDLERS", without(int8.HANDLERS, operators[0].builtin)):
        int8.read_tflite(broken, "net", "net.tflite")
