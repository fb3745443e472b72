"""`edgekc export-onnx`: the integer network as ONNX, for other tools to read and run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way

EXAMPLES = ("edgekc export-onnx net.tflite -o net.onnx", "edgekc export-onnx out/kws.ekc -o kws.onnx --exact")


def export_onnx(
    model: Annotated[Path, typer.Argument(help="A quantised or packed model.", metavar="MODEL")],
    output: Annotated[Path, typer.Option("-o", metavar="FILE", help="The .onnx file.", show_default=False)],
    exact: Annotated[
        bool, typer.Option("--exact", help="Integers of 64 bits: more operators, and the very bits of the device.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file of -o.")] = False,
    as_json: way.AsJson = False,
) -> None:
    """Write the integer network that the device computes as ONNX with QuantizeLinear and DequantizeLinear.

    Netron shows it, and onnxruntime runs it: each layer gives the device's integers to within one level. With --exact
    the whole network gives them.
    """
    from ..api.exports import check_onnx_file
    from ..api.exports import export_onnx as export
    from ..tables import show
    from ..terminal import say_json

    check_onnx_file(output, force=force)
    found = export(model, exact=exact)
    found.save(output, force=force)
    if as_json:
        say_json(found.to_dict())
    else:
        show(found.parts())
