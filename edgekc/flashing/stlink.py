"""stlink-tools' st-flash, for boards with an ST-LINK."""

from __future__ import annotations

from .records import Job, Step, Symptom, Tool


def _steps(job: Job) -> tuple[Step, ...]:
    connect = ("--connect-under-reset", *(("--serial", job.probe) if job.probe else ()), *job.options)
    base = f"0x{job.base:08x}"
    return (
        Step("program", ("st-flash", *connect, "--reset", "write", job.image, base)),
        Step("read back", ("st-flash", *connect, "--reset", "read", job.readback, base, str(job.size_bytes))),
    )


TOOL = Tool(
    name="stlink",
    programs=("st-flash",),
    install="sudo apt-get install stlink-tools",
    steps=_steps,
    symptoms=(
        Symptom(r"[Mm]ultiple|[Mm]ore than one", "two-probes"),
        Symptom(r"Couldn't find any ST-Link|No such device|[Ff]ailed to (open|connect)|Unable to open", "no-probe"),
        Symptom(r"unknown chip id|Failed to parse flash type", "wrong-chip"),
        Symptom(r"read.?protect|locked|[Ww]rite protect", "locked"),
        Symptom(r"too large|Attempting to write.*(beyond|outside)|addr too (high|low)", "too-large"),
        Symptom(r"mismatch|[Vv]erif\w+ (failed|error)", "verify"),
        Symptom(r"LIBUSB_ERROR|libusb|disconnected", "lost"),
        Symptom(r"Flash (programming|erase) error|[Ff]lash loader", "refused"),
    ),
    reads_back=True,
)
