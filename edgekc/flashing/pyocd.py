"""pyOCD: CMSIS-DAP, DAPLink, J-Link and ST-LINK probes, and its own remote probes (`--probe remote:host:port`)."""

from __future__ import annotations

from .records import Job, Step, Symptom, Tool


def _steps(job: Job) -> tuple[Step, ...]:
    board = job.board
    target = board.probe.pyocd_target if board.probe is not None else ""
    connect = ("--no-wait", "--target", target, *(("--uid", job.probe) if job.probe else ()), *job.options)

    def commander(what: str, *commands: str) -> Step:
        words = tuple(word for command in commands for word in ("-c", command))
        return Step(what, ("pyocd", "commander", *connect, *words))

    chip = board.probe.chip_id if board.probe is not None else None
    identify = (commander("identify the chip", f"savemem 0x{chip.address:08x} 4 {job.chip}"),) if chip else ()
    return (
        *identify,
        Step(
            "program",
            ("pyocd", "load", *connect, "--erase", "sector", "--no-reset", "--base-address", f"0x{job.base:08x}",
             "--format", "bin", job.image),
        ),
        commander("read back", f"savemem 0x{job.base:08x} {job.size_bytes} {job.readback}", "reset"),
    )  # fmt: skip


TOOL = Tool(
    name="pyocd",
    programs=("pyocd",),
    install="pip install 'edgekc[flash]'",
    steps=_steps,
    symptoms=(
        Symptom(r"No connected debug probe", "no-probe"),
        Symptom(r"More than one debug probe matches|Enter the number of the debug probe", "two-probes"),
        Symptom(r"Target type \S+ not recognized", "unknown-target"),
        Symptom(r"APPROTECT|flash security|read.?protect|[Dd]evice is (locked|secured)|is locked", "locked"),
        Symptom(r"not contained within|no flash|invalid flash address|[Nn]o memory region|Overlap", "too-large"),
        Symptom(r"Connection refused|getaddrinfo failed|Name or service not known", "no-probe"),
        Symptom(
            r"Connection reset|Broken pipe|closed by|No such device|disconnected|probe.*(lost|unplugged)|"
            r"malformed response|ConnectionError|Remote end",
            "lost",
        ),
        Symptom(r"No ACK|No cores were discovered|STLink error.*(Get IDCODE|no target)|Unexpected ACK", "no-power"),
        Symptom(r"verif(y|ication) (failed|failure)", "verify"),
        Symptom(r"flash (erase|program)\w*.*(fail|timed? ?out)|Flash(Erase|Program)?Failure|flash init", "refused"),
        Symptom(r"Transfer(Timeout)?Error|[Mm]emory transfer fault|Communication (error|failure)", "lost"),
    ),
    reads_back=True,
)
