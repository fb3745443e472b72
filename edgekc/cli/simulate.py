"""`edgekc simulate`: a microcontroller without hardware, which flash tools take for a board."""

from __future__ import annotations

from typing import Annotated

import typer

EXAMPLES = ("edgekc simulate", "edgekc simulate --port 0 --openocd-port 0 --serial-port 0 --protected")


def _number(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no number, such as 0x413") from None


def simulate(
    port: Annotated[int, typer.Option(help="For pyOCD: --probe remote:localhost:PORT. 0: any.", metavar="PORT")] = 5555,
    openocd_port: Annotated[int, typer.Option(help="For OpenOCD's remote_bitbang. 0: any.", metavar="PORT")] = 5556,
    serial_port: Annotated[
        int, typer.Option(help="The chip's serial port, USART3, over TCP. 0: any.", metavar="PORT")
    ] = 5557,
    protected: Annotated[bool, typer.Option("--protected", help="Readout protection, level 1.")] = False,
    device_id: Annotated[
        str, typer.Option(help="The DEV_ID of another chip, such as 0x413.", metavar="NUMBER")
    ] = "0x441",
    flash_kb: Annotated[int, typer.Option(help="What the flash size register says.", metavar="KB")] = 1024,
    stuck: Annotated[
        list[str] | None,
        typer.Option(help="A flash byte whose lowest bit reads 0. Repeat it.", metavar="ADDRESS"),
    ] = None,
    brownout_after: Annotated[
        int | None, typer.Option(help="Lose power once, after so many instructions.", metavar="N")
    ] = None,
    flash_cut: Annotated[
        int | None, typer.Option(help="Lose power once, within the flash operation behind N others.", metavar="N")
    ] = None,
    unplug_after: Annotated[
        int | None, typer.Option(help="Unplug the probe after so many accesses.", metavar="N")
    ] = None,
    vanish_after: Annotated[
        int | None, typer.Option(help="The same, and close the connections too.", metavar="N")
    ] = None,
) -> None:
    """Serve a simulated STM32F412 (the board nucleo-f412zg) to pyOCD, OpenOCD and the console, until Ctrl-C.

    It has a Cortex-M4, flash, debug and serial port. A cycle of it is an instruction: it shows that a program arrives,
    runs and answers, not how fast a real core is.
    """
    from ..api.simulating import simulate_board
    from ..tables import show
    from ..terminal import say

    board = simulate_board(
        port=port, openocd_port=openocd_port, serial_port=serial_port, protected=protected,
        device_id=_number(device_id), flash_kb=flash_kb, stuck=[_number(text) for text in stuck or ()],
        brownout_after=brownout_after, flash_cut=flash_cut, unplug_after=unplug_after, vanish_after=vanish_after,
    )  # fmt: skip
    show(board.parts())
    say("Ctrl-C ends it")
    board.serve()
