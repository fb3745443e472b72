"""`edgekc sign`: a payload to a signed update."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way

EXAMPLES = (
    "edgekc sign kws.ekc --key update.pem --sequence 2 --network-of out -o kws.eku",
    "edgekc sign new --key k --sequence 3 --network-of out --delta-from old -o u",
)


def sign(
    payload: Annotated[Path, typer.Argument(help="What the device will run: a .ekc, or any file.", metavar="FILE")],
    key: Annotated[Path, typer.Option("--key", metavar="KEY", help="The private key of `edgekc keygen`.")],
    sequence: Annotated[
        int, typer.Option("--sequence", metavar="N", help="Above that of all earlier updates.", show_default=False)
    ],
    network: Annotated[
        str,
        typer.Option(
            "--network-of",
            metavar="FOLDER",
            help="The compiled folder that the devices run, or its network's 32 hexadecimal digits.",
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Option("-o", metavar="UPDATE", help="Where the update goes.", show_default=False)],
    security_counter: Annotated[
        int,
        typer.Option("--security-counter", metavar="M", help="Devices that run this update refuse lower ones."),
    ] = 0,
    key_id: Annotated[
        int, typer.Option("--key-id", metavar="ID", help="The number by which devices know the key.")
    ] = 1,
    least_key: Annotated[
        int, typer.Option("--least-key", metavar="ID", help="Revoke keys with lower numbers, from this update on.")
    ] = 0,
    delta_from: Annotated[
        Path | None,
        typer.Option("--delta-from", metavar="OLD", help="What the devices run now: send only the changes to it."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file of -o, whatever it is.")] = False,
    as_json: way.AsJson = False,
) -> None:
    """Sign an update of what devices run."""
    from ..api.updates import sign_update
    from ..tables import show
    from ..terminal import say_json

    found = sign_update(
        payload, output, key=key, sequence=sequence, network=network, security_counter=security_counter,
        key_id=key_id, least_key=least_key, delta_from=delta_from, force=force,
    )  # fmt: skip
    if as_json:
        say_json(found.to_dict())
    else:
        show(found.parts())
