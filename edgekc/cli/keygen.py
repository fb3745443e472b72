"""`edgekc keygen`: a key pair for updates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way

EXAMPLES = ("edgekc keygen ~/keys/update.pem",)


def keygen(
    key: Annotated[Path, typer.Argument(help="Where the private key goes; KEY.pub is the public one.", metavar="KEY")],
    as_json: way.AsJson = False,
) -> None:
    """Make an Ed25519 key pair that signs updates. A key is never overwritten."""
    from ..api.updates import make_keys
    from ..tables import show
    from ..terminal import say_json

    found = make_keys(key)
    if as_json:
        say_json(found.to_dict())
    else:
        show(found.parts())
