"""gdb over the remote protocol: qemu's own server for an emulated board, any other with `--probe remote:host:port`."""

from __future__ import annotations

import socket

from ..firmware.toolchain import qemu_machine, qemu_name
from .records import Job, Step, Symptom, Tool

_HOST = "127.0.0.1"


def _steps(job: Job) -> tuple[Step, ...]:
    board = job.board
    server: tuple[str, ...] = ()
    address = job.probe.removeprefix("remote:")
    if not address:
        address = f"{_HOST}:{_free_port()}"
        # Halted, and without a program: what it then holds came through gdb.
        server = (
            qemu_name(board), *qemu_machine(board), "-nographic", "-monitor", "none", "-serial", "none",
            "-S", "-gdb", f"tcp:{address}",
        )  # fmt: skip
    commands = (
        "set confirm off",
        "set tcp auto-retry on",
        "set tcp connect-timeout 10",
        f"target remote {address}",
        "load",
        "compare-sections",
        f"dump binary memory {job.readback} 0x{job.base:x} 0x{job.base + job.size_bytes:x}",
        "detach" if not server else "kill",
    )
    words = tuple(word for command in commands for word in ("-ex", command))
    # -nx: no .gdbinit of the user's changes what happens.
    gdb = ("gdb-multiarch", "-nx", "-batch", *job.options, *words, job.elf)
    return (Step("load and read back", gdb, server),)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


TOOL = Tool(
    name="gdb",
    programs=("gdb-multiarch",),
    install="sudo apt-get install gdb-multiarch",
    steps=_steps,
    symptoms=(
        Symptom(r"could not connect|Connection (refused|timed out)|No route to host", "no-probe"),
        Symptom(r"MIS-MATCHED", "verify"),
        Symptom(r"[Rr]emote connection closed|Connection reset|Remote communication error", "lost"),
        Symptom(r"Load failed|Cannot access memory|[Ee]rror (erasing|writing) flash", "refused"),
    ),
    reads_back=True,
)
