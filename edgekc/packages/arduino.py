"""A network to a library for the Arduino IDE: its folder, and the zip archive that the IDE takes."""

from __future__ import annotations

from .archive import zipped
from .net import Net
from .package import VERSION, Files, Package

_DEMO = "_demo"  # of the sketch's name
_MOST = 63  # characters of the name of a sketch or library (Arduino's sketch and library specifications)

# Libraries that come with the IDE or a board's core: on Windows and macOS servo.h would be taken for their Servo.h.
_BUNDLED = frozenset(
    "ble bridge eeprom esplora ethernet firmata gsm hid i2s keyboard liquidcrystal mouse netif pdm radio rtc sd servo "
    "softwareserial spi stepper tft usbhost wifi wifinina wire".split()
)


def bundled(name: str) -> str:
    """Why no library can be called so beside Arduino's own; empty where one can."""
    return f"would put a {name}.h in front of Arduino's" if name.lower() in _BUNDLED else ""


def _name_problem(name: str) -> str:
    if name.lower().startswith("arduino"):
        return "begins with `arduino`, which only libraries of Arduino may"
    if len(name) > _MOST - len(_DEMO):
        return f"has {len(name)} characters, and {name}{_DEMO} more than the {_MOST} of a sketch"
    return bundled(name)


def _more(net: Net, files: Files) -> Files:
    return {f"{net.name}-{VERSION}.zip": zipped({f"{net.name}/{path}": data for path, data in files.items()})}


PACKAGE = Package(
    "arduino",
    headers="src",
    sample="examples/NAME_demo",
    name_problem=_name_problem,
    extensions=frozenset({"dsp", "mve"}),
    flash_bytes=8 << 20,
    ram_bytes=1 << 20,
    largest="the largest board of Arduino (Teensy 4.1: 8 MiB of flash, 1 MiB of RAM)",
    more=_more,
)
