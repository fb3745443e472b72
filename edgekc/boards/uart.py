"""UART families as data: which registers a driver touches, from which codegen/uart.c.j2 writes the console's line.

Sources: the reference manuals named in each family's comment. Nothing but polling: the host waits for each answer,
so there is never more than one request on its way, and what is lost is asked again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import BoardError

# A receiver samples the last bit of a byte right if both ends' clocks together are off by less than half a bit in ten.
_TOLERANCE = 0.03


@dataclass(frozen=True, slots=True)
class Flag:
    """A condition: register & mask is not 0, or is 0."""

    offset: int
    mask: int
    is_set: bool


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of UART; offsets in bytes from its base."""

    start: Callable[[int, int], tuple[tuple[int, int], ...]]  # clock and baud in Hz: words to write, in order
    rate: Callable[[int, int], float]  # the baud rate that these give
    received: Flag  # a byte waits
    data_in: int
    idle: Flag  # a byte may be written, or with `sent_after` has been sent
    sent_after: bool  # wait after each byte, not before it
    data_out: int
    on_received: tuple[tuple[int, int], ...]  # words to write before a byte is read
    on_sent: tuple[tuple[int, int], ...]  # words to write after a byte was sent
    while_waiting: tuple[tuple[int, int], ...]  # words that end an error, which would stop the receiver


def _ratio(clock: int, baud: int) -> int:
    return max(round(clock / baud), 1)


def _pl011(clock: int, baud: int) -> int:
    return max(round(4 * clock / baud), 64)  # the divisor in 64ths, of 16 samples a bit


def _nxp(clock: int, baud: int) -> tuple[int, int]:
    """Samples a bit and divisor that come nearest; more samples where two are equal."""
    choices = [(samples, max(round(clock / (baud * samples)), 1)) for samples in range(32, 7, -1)]
    return min(choices, key=lambda c: abs(clock / (c[0] * c[1]) - baud))


# The nRF's generator: BAUDRATE is the rate x 2^32 / 16 MHz; the product specification rounds to 4096.
def _nrf(baud: int) -> int:
    return (round(baud * 2**32 / 16_000_000) + 0x800) & ~0xFFF


FAMILIES: dict[str, Family] = {
    # STM32F1, F2, F4: RM0390 section 25.6. SR 0, DR 4, BRR 8, CR1 C. Reading SR, then DR, ends an overrun.
    "stm32-usart-v1": Family(
        start=lambda clock, baud: ((0x08, _ratio(clock, baud)), (0x0C, 1 << 13 | 1 << 3 | 1 << 2)),
        rate=lambda clock, baud: clock / _ratio(clock, baud),
        received=Flag(0x00, 1 << 5, True), data_in=0x04,
        idle=Flag(0x00, 1 << 7, True), sent_after=False, data_out=0x04,
        on_received=(), on_sent=(), while_waiting=(),
    ),
    # STM32L4, H7, U5, G0: RM0432 section 50.8. CR1 0, CR3 8 (OVRDIS), BRR C, ISR 1C, RDR 24, TDR 28.
    "stm32-usart-v2": Family(
        start=lambda clock, baud: ((0x08, 1 << 12), (0x0C, _ratio(clock, baud)), (0x00, 1 << 3 | 1 << 2 | 1)),
        rate=lambda clock, baud: clock / _ratio(clock, baud),
        received=Flag(0x1C, 1 << 5, True), data_in=0x24,
        idle=Flag(0x1C, 1 << 7, True), sent_after=False, data_out=0x28,
        on_received=(), on_sent=(), while_waiting=(),
    ),
    # The same registers; the divisor counts 256ths: RM0432 section 51.4.7.
    "stm32-lpuart": Family(
        start=lambda clock, baud: ((0x08, 1 << 12), (0x0C, _ratio(256 * clock, baud)), (0x00, 1 << 3 | 1 << 2 | 1)),
        rate=lambda clock, baud: 256 * clock / _ratio(256 * clock, baud),
        received=Flag(0x1C, 1 << 5, True), data_in=0x24,
        idle=Flag(0x1C, 1 << 7, True), sent_after=False, data_out=0x28,
        on_received=(), on_sent=(), while_waiting=(),
    ),
    # Arm PL011 (DDI 0183), as in the RP2040, RP2350 and Stellaris: DR 0, FR 18, IBRD 24, FBRD 28, LCR_H 2C, CR 30.
    "pl011": Family(
        start=lambda clock, baud: (
            (0x24, _pl011(clock, baud) >> 6), (0x28, _pl011(clock, baud) & 63), (0x2C, 0x70), (0x30, 0x301),
        ),
        rate=lambda clock, baud: 4 * clock / _pl011(clock, baud),
        received=Flag(0x18, 1 << 4, False), data_in=0x00,
        idle=Flag(0x18, 1 << 5, False), sent_after=False, data_out=0x00,
        on_received=(), on_sent=(), while_waiting=(),
    ),
    # nRF51 and nRF52, without DMA (nRF52840 PS, section 6.33): STARTRX 0, STARTTX 8, RXDRDY 108, TXDRDY 11C,
    # ENABLE 500, RXD 518, TXD 51C, BAUDRATE 524; the pins are part of the board's set-up. Its clock is always 16 MHz.
    "nrf-uart": Family(
        start=lambda clock, baud: ((0x524, _nrf(baud)), (0x500, 4), (0x000, 1), (0x008, 1)),
        rate=lambda clock, baud: _nrf(baud) * 16_000_000 / 2**32,
        received=Flag(0x108, 1, True), data_in=0x518,
        idle=Flag(0x11C, 1, True), sent_after=True, data_out=0x51C,
        on_received=((0x108, 0),), on_sent=((0x11C, 0),), while_waiting=(),
    ),
    # NXP LPUART (MCX Nx4x reference manual): BAUD 10, STAT 14, CTRL 18, DATA 1C. An overrun stops it until cleared.
    "nxp-lpuart": Family(
        start=lambda clock, baud: (
            (0x10, (_nxp(clock, baud)[0] - 1) << 24 | _nxp(clock, baud)[1]), (0x18, 1 << 19 | 1 << 18),
        ),
        rate=lambda clock, baud: clock / (_nxp(clock, baud)[0] * _nxp(clock, baud)[1]),
        received=Flag(0x14, 1 << 21, True), data_in=0x1C,
        idle=Flag(0x14, 1 << 23, True), sent_after=False, data_out=0x1C,
        on_received=(), on_sent=(), while_waiting=((0x14, 1 << 19),),
    ),
    # Arm CMSDK APB UART (DDI 0479, section 4.3): DATA 0, STATE 4, CTRL 8, BAUDDIV 10.
    "cmsdk": Family(
        start=lambda clock, baud: ((0x10, max(_ratio(clock, baud), 16)), (0x08, 3)),
        rate=lambda clock, baud: clock / max(_ratio(clock, baud), 16),
        received=Flag(0x04, 1 << 1, True), data_in=0x00,
        idle=Flag(0x04, 1 << 0, False), sent_after=False, data_out=0x00,
        on_received=(), on_sent=(), while_waiting=((0x04, 1 << 3),),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """One word of a board's set-up: clear bits, then set bits; or write it; or wait until all of `until` are set."""

    at: int
    clear: int
    set: int
    write: int | None
    until: int | None


@dataclass(frozen=True, slots=True)
class Uart:
    """The UART that a board's console uses."""

    family: str  # of FAMILIES
    base: int
    clock_hz: int  # what its baud rate is divided from
    baud: int
    pins: str  # where to connect
    setup: tuple[Step, ...]


def check_uart(uart: Uart, where: str) -> None:
    """Raises BoardError where the clock cannot be divided to the baud rate."""
    rate = FAMILIES[uart.family].rate(uart.clock_hz, uart.baud)
    if abs(rate / uart.baud - 1) > _TOLERANCE:
        raise BoardError(
            f"key console.uart.baud: {uart.clock_hz} Hz gives {rate:.0f} baud, {100 * (rate / uart.baud - 1):+.1f} % "
            f"from {uart.baud}",
            where=where,
            fix="choose another rate",
        )


def view(uart: Uart) -> dict[str, object]:
    """What codegen/uart.c.j2 is rendered with: addresses, and C conditions."""
    family = FAMILIES[uart.family]

    def words(pairs: tuple[tuple[int, int], ...]) -> list[tuple[str, str]]:
        return [(_hex(uart.base + offset), _hex(value)) for offset, value in pairs]

    def condition(flag: Flag) -> str:
        return f"(REG({_hex(uart.base + flag.offset)}) & {_hex(flag.mask)}) {'!=' if flag.is_set else '=='} 0u"

    return {
        "family": uart.family,
        "setup": [_statement(step) for step in uart.setup],
        "start": words(family.start(uart.clock_hz, uart.baud)),
        "received": condition(family.received),
        "idle": condition(family.idle),
        "sent_after": family.sent_after,
        "data_in": _hex(uart.base + family.data_in),
        "data_out": _hex(uart.base + family.data_out),
        "on_received": words(family.on_received),
        "on_sent": words(family.on_sent),
        "while_waiting": words(family.while_waiting),
    }


def _hex(value: int) -> str:
    return f"0x{value:08X}u"


def _statement(step: Step) -> str:
    register = f"REG({_hex(step.at)})"
    if step.until is not None:
        return f"while (({register} & {_hex(step.until)}) != {_hex(step.until)}) {{ }}"
    if step.write is not None:
        return f"{register} = {_hex(step.write)};"
    value = f"{register} & ~{_hex(step.clear)}" if step.clear else register
    return f"{register} = ({value}) | {_hex(step.set)};" if step.set else f"{register} = {value};"
