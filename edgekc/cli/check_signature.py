"""`edgekc check-signature`: whether an update is what its signer made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way

EXAMPLES = (
    "edgekc check-signature kws.eku --key update.pem.pub",
    "edgekc check-signature kws.eku --key update.pem.pub --delta-from old.ekc",
)


def check_signature(
    update: Annotated[Path, typer.Argument(help="A file of `edgekc sign`.", metavar="UPDATE")],
    key: Annotated[Path, typer.Option("--key", metavar="KEY", help="The public key of `edgekc keygen`.")],
    delta_from: Annotated[
        Path | None,
        typer.Option("--delta-from", metavar="OLD", help="For changes: what they change, to check the payload too."),
    ] = None,
    as_json: way.AsJson = False,
) -> None:
    """Check an update's signature and payload, and show its header."""
    from ..api.updates import check_update
    from ..tables import show
    from ..terminal import say_json

    found = check_update(update, key=key, delta_from=delta_from)
    if as_json:
        say_json(found.to_dict())
    else:
        show(found.parts())
