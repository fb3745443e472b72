"""Models of UARTs by their reference manuals: a second statement of the registers, beside edgekc/boards/uart.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Model:
    """A UART's registers, and the bytes on its wires."""

    waiting: list[int]  # bytes on the wire
    sent: list[int] = field(default_factory=list)
    words: dict[int, int] = field(default_factory=dict)
    read: Callable[[Model, int], int] = lambda m, offset: m.words.get(offset, 0)
    wrote: Callable[[Model, int, int], None] = lambda m, offset, value: None
    on: Callable[[Model], bool] = lambda m: True
    divisor: Callable[[Model], float] = lambda m: 0.0
    busy: int = 0  # looks at the flag until the transmitter is free again
    overrun: bool = False
    status: frozenset[int] = frozenset()  # registers that hold what the UART says, not what was written

    def ready(self) -> bool:
        self.busy = max(self.busy - 1, 0)
        return self.busy == 0

    def take(self) -> int:
        return self.waiting.pop(0)

    def put(self, value: int) -> None:
        assert self.on(self) and self.busy == 0, "written before it was ready"
        self.sent.append(value & 0xFF)
        self.busy = 3


def stm32_v1(m: Model) -> Model:
    def read(m: Model, offset: int) -> int:
        if offset == 0:
            return bool(m.waiting) << 5 | m.ready() << 7
        return m.take() if offset == 4 else m.words.get(offset, 0)

    m.read, m.wrote = read, lambda m, offset, value: m.put(value) if offset == 4 else None
    m.on = lambda m: m.words.get(0xC, 0) & 0x200C == 0x200C
    m.divisor = lambda m: m.words[8]
    return m


def stm32_v2(m: Model) -> Model:
    def read(m: Model, offset: int) -> int:
        if offset == 0x1C:
            return bool(m.waiting) << 5 | m.ready() << 7
        return m.take() if offset == 0x24 else m.words.get(offset, 0)

    def wrote(m: Model, offset: int, value: int) -> None:
        if offset == 0x28:
            m.put(value)
        # BRR and OVRDIS may only be written while UE is 0.
        assert offset not in (0x08, 0x0C) or not m.words.get(0, 0) & 1

    m.read, m.wrote = read, wrote
    m.on = lambda m: m.words.get(0, 0) & 0xD == 0xD and m.words.get(8, 0) >> 12 & 1 == 1
    m.divisor = lambda m: m.words[0xC]
    return m


def lpuart_st(m: Model) -> Model:
    stm32_v2(m)
    m.divisor = lambda m: m.words[0xC] / 256
    return m


def pl011(m: Model) -> Model:
    def read(m: Model, offset: int) -> int:
        if offset == 0x18:
            return (not m.waiting) << 4 | (not m.ready()) << 5
        return m.take() if offset == 0 else m.words.get(offset, 0)

    m.read, m.wrote = read, lambda m, offset, value: m.put(value) if offset == 0 else None
    m.on = lambda m: m.words.get(0x30, 0) & 0x301 == 0x301 and m.words.get(0x2C, 0) >> 5 & 3 == 3
    m.divisor = lambda m: 16 * (m.words[0x24] + m.words[0x28] / 64)
    return m


def nrf(m: Model) -> Model:
    """Events: RXDRDY as each byte arrives, TXDRDY once each has left."""
    m.words[0x108] = 1
    m.status = frozenset({0x108, 0x11C})

    def read(m: Model, offset: int) -> int:
        if offset == 0x518:
            value = m.take()
            m.words[0x108] |= bool(m.waiting)
            return value
        if offset == 0x108:
            return m.words[0x108] if m.waiting else 0
        if offset == 0x11C and m.words.get(0x11C) == 0 and m.sent and m.ready():
            m.words[0x11C] = 1
        return m.words.get(offset, 0)

    def wrote(m: Model, offset: int, value: int) -> None:
        assert offset not in (0x108, 0x11C) or value == 0
        if offset in (0x108, 0x11C):
            m.words[offset] = 0
        if offset == 0x51C:
            m.put(value)
            m.words[0x11C] = 0

    m.read, m.wrote = read, wrote
    m.on = lambda m: m.words.get(0x500) == 4 and m.words.get(0) == 1 and m.words.get(8) == 1
    m.divisor = lambda m: 2**32 / m.words[0x524]
    return m


def nxp(m: Model) -> Model:
    """It starts with an overrun, during which nothing is received."""
    m.overrun = True

    def read(m: Model, offset: int) -> int:
        if offset == 0x14:
            return (bool(m.waiting) and not m.overrun) << 21 | m.ready() << 23 | m.overrun << 19
        return m.take() if offset == 0x1C else m.words.get(offset, 0)

    def wrote(m: Model, offset: int, value: int) -> None:
        if offset == 0x14 and value >> 19 & 1:
            m.overrun = False
        if offset == 0x1C:
            m.put(value)

    m.read, m.wrote = read, wrote
    m.on = lambda m: m.words.get(0x18, 0) >> 18 & 3 == 3
    m.divisor = lambda m: ((m.words[0x10] >> 24 & 31) + 1) * (m.words[0x10] & 0x1FFF)
    return m


def cmsdk(m: Model) -> Model:
    def read(m: Model, offset: int) -> int:
        if offset == 4:
            return (not m.ready()) | bool(m.waiting) << 1
        return m.take() if offset == 0 else m.words.get(offset, 0)

    m.read, m.wrote = read, lambda m, offset, value: m.put(value) if offset == 0 else None
    m.on = lambda m: m.words.get(8, 0) & 3 == 3
    m.divisor = lambda m: m.words[0x10]
    return m


MODELS: dict[str, Callable[[Model], Model]] = {
    "stm32-usart-v1": stm32_v1,
    "stm32-usart-v2": stm32_v2,
    "stm32-lpuart": lpuart_st,
    "pl011": pl011,
    "nrf-uart": nrf,
    "nxp-lpuart": nxp,
    "cmsdk": cmsdk,
}
