"""Generated C on a simulated AVR, whose `int` and pointers have 16 bits."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from edgekc.emulate import host
from edgekc.files.output import read_manifest

MCU = "atmega1284p"
RAM_BYTES = 16 * 1024  # constants lie there too: for this core a const array is data
STACK_BYTES = 1024
FLASH_BYTES = 128 * 1024
COMPILER = ("avr-gcc", f"-mmcu={MCU}", "-std=c99")
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Woverflow", "-Werror")

# Prints "status, outputs, guards" as hexadecimal lines for each sample, then stops the simulator.
_MAIN = """#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/pgmspace.h>
#include <avr/sleep.h>
#include <stdint.h>
#include <string.h>

#include "@name@.h"

#define GUARD 8

static uint8_t arena[@UPPER@_ARENA_BYTES + GUARD] __attribute__((aligned(16)));
static uint8_t input[@UPPER@_INPUT_BYTES];
static uint8_t output[@UPPER@_OUTPUT_BYTES + GUARD];
static const uint8_t samples[] PROGMEM = {@samples@};

static void put(char c)
{
    while (!(UCSR0A & (1 << UDRE0))) {
    }
    UDR0 = (uint8_t)c;
}

static void line(char head, const uint8_t *bytes, uint16_t count)
{
    static const char digits[] = "0123456789abcdef";
    for (uint16_t i = 0; i < count; i++) {
        if (i % 32 == 0) {
            put(head);
        }
        put(digits[bytes[i] >> 4]);
        put(digits[bytes[i] & 15]);
        if (i % 32 == 31 || i + 1 == count) {
            put('\\n');
        }
    }
}

int main(void)
{
    UBRR0 = 0;
    UCSR0B = 1 << TXEN0;
    for (uint16_t k = 0; k < @count@; k++) {
        uint8_t status;
        memset(arena, 0xA5, sizeof arena);
        memset(output, 0xA5, sizeof output);
        memcpy_P(input, samples + k * sizeof input, sizeof input);
        status = (uint8_t)@name@_run(arena, input, output);
        line('S', &status, 1);
        line('O', output, @UPPER@_OUTPUT_BYTES);
        line('G', output + @UPPER@_OUTPUT_BYTES, GUARD);
        line('G', arena + @UPPER@_ARENA_BYTES, GUARD);
    }
    cli();
    sleep_mode(); /* with interrupts off: the simulator ends */
    return 0;
}
"""


def need() -> None:
    """Skips the test, saying why, where the compiler, its library or the simulator is absent."""
    for tool, package in (("avr-gcc", "gcc-avr avr-libc"), ("simavr", "simavr")):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed: apt-get install {package}")


def compile_sources(sources: Sequence[Path], out: Path, *flags: str) -> list[Path]:
    """An object for each source; a warning fails the test."""
    out.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [*COMPILER, "-Os", "-ffunction-sections", *WARNINGS, *flags, "-c", *map(str, sources)],
        cwd=out, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[:4000]
    return [out / f"{source.stem}.o" for source in sources]


def run(folder: Path, samples: bytes, out: Path, kernels: Sequence[Path] = ()) -> bytes:
    """The outputs of a compiled folder for `samples`, one after the other.

    Args:
        kernels: objects of kernels that were compiled before; without them the folder's own are compiled.
    """
    manifest = read_manifest(folder)
    name, size = str(manifest["name"]), host.input_bytes(manifest)
    out.mkdir(parents=True, exist_ok=True)
    text = _MAIN.replace("@name@", name).replace("@UPPER@", name.upper()).replace("@count@", str(len(samples) // size))
    (out / "main.c").write_text(text.replace("@samples@", ",".join(map(str, samples))))
    wanted = f"{name}*.c" if kernels else "*.c"
    objects = compile_sources(sorted((folder / "src").glob(wanted)), out, f"-I{folder / 'include'}")
    program = out / f"{name}.elf"
    command = [*COMPILER, "-Os", "-Wl,--gc-sections", f"-I{folder / 'include'}", str(out / "main.c")]
    command += [str(path) for path in (*objects, *kernels)]
    subprocess.run([*command, "-o", str(program)], check=True)
    flash, ram = sizes(program)
    assert flash <= FLASH_BYTES, f"{flash} bytes of code and constants"
    assert ram + STACK_BYTES <= RAM_BYTES, f"{ram} bytes of RAM"
    ran = subprocess.run(
        ["simavr", "-m", MCU, "-f", "16000000", str(program)], capture_output=True, text=True, errors="replace",
        check=False, timeout=300,
    )  # fmt: skip
    lines = re.findall(r"\b([SOG])((?:[0-9a-f]{2})+)\b", re.sub(r"\x1b\[[0-9;]*m", "", ran.stdout + ran.stderr))
    found = {head: bytes.fromhex("".join(text for which, text in lines if which == head)) for head in "SOG"}
    assert found["S"] == bytes(len(samples) // size), f"{ran.stdout[-500:]}{ran.stderr[-500:]}"
    assert set(found["G"]) == {0xA5}, "written behind a buffer"
    return found["O"]


def sizes(program: Path) -> tuple[int, int]:
    """Bytes of flash and of RAM, without the stack, as avr-size counts them."""
    listing = subprocess.run(["avr-size", str(program)], capture_output=True, text=True, check=True).stdout
    text, data, bss = map(int, listing.splitlines()[1].split()[:3])
    return text + data, data + bss
