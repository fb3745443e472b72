"""`python -m tests.simulated_mcu`: a simulated Nucleo-F412ZG on TCP ports, for pyOCD, OpenOCD and edgekc."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from simulated_mcu.mcu import STM32F412, Chip, Mcu
from simulated_mcu.server import Server, Trouble


def _number(text: str) -> int:
    return int(text, 0)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.simulated_mcu", description=__doc__)
    parser.add_argument("--port", type=int, default=5555, help="for pyOCD: -u remote:localhost:PORT (0: any)")
    parser.add_argument("--openocd-port", type=int, default=5556, help="for OpenOCD's remote_bitbang (0: any)")
    parser.add_argument("--serial-port", type=int, default=5557, help="the serial port, USART3, over TCP (0: any)")
    parser.add_argument("--protected", action="store_true", help="readout protection, level 1")
    parser.add_argument("--device-id", type=_number, default=STM32F412, help="another chip's DEV_ID, such as 0x413")
    parser.add_argument("--flash-kb", type=int, default=1024, help="what the flash size register says")
    parser.add_argument("--stuck", type=_number, action="append", default=[], metavar="ADDRESS",
                        help="a flash byte whose lowest bit reads 0")  # fmt: skip
    parser.add_argument("--brownout-after", type=int, metavar="N", help="lose power once, after N instructions")
    parser.add_argument("--unplug-after", type=int, metavar="N", help="unplug the probe after N accesses")
    parser.add_argument("--vanish-after", type=int, metavar="N", help="and close the connections too")
    options = parser.parse_args()
    chip = Chip(
        device_id=options.device_id,
        flash_kb=options.flash_kb,
        protected=options.protected,
        brownout_after=options.brownout_after,
        stuck=dict.fromkeys(options.stuck, 1),
    )
    server = Server(
        Mcu(chip),
        Trouble(unplug_after=options.unplug_after, vanish_after=options.vanish_after),
        pyocd_port=options.port,
        openocd_port=options.openocd_port,
        serial_port=options.serial_port,
    )
    print(
        f"simulated STM32F412: pyOCD -u remote:localhost:{server.pyocd_port}, "
        f"OpenOCD remote_bitbang port {server.openocd_port}, serial port at localhost:{server.serial_port}; "
        "Ctrl-C ends it",
        flush=True,
    )
    try:
        server.serve()
    except KeyboardInterrupt:
        print()


main()
