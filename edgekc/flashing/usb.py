"""Counts the debug probes on this machine's USB, for tools that would silently take the first of several."""

from __future__ import annotations

from pathlib import Path

SYSFS = Path("/sys/bus/usb/devices")
# Vendor: products; empty: all of them. Other probes are known by the product string of the CMSIS-DAP standard.
_PROBES: dict[str, frozenset[str]] = {
    "0483": frozenset("3744 3748 374a 374b 374d 374e 374f 3752 3753 3754 3757".split()),  # ST-LINK
    "1366": frozenset(),  # J-Link
    "0d28": frozenset({"0204"}),  # DAPLink
}


def probes(devices: Path = SYSFS) -> tuple[str, ...]:
    """Serial numbers of the probes, sorted; empty on systems without sysfs."""
    found = []
    for device in sorted(devices.glob("*")):
        vendor, product = _text(device / "idVendor"), _text(device / "idProduct")
        known = _PROBES.get(vendor)
        if (known is not None and (not known or product in known)) or "CMSIS-DAP" in _text(device / "product"):
            found.append(_text(device / "serial") or device.name)
    return tuple(sorted(found))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
