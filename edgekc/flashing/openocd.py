"""OpenOCD: nearly every probe there is; `--openocd-config FILE` takes the place of the board's interface and target."""

from __future__ import annotations

from .records import Job, Step, Symptom, Tool

# Another OpenOCD may hold the usual ports, and this one needs none.
_NO_SERVERS = "gdb_port disabled; tcl_port disabled; telnet_port disabled"


def connect(job: Job) -> tuple[str, ...]:
    """The words of the command line up to the first command."""
    files: tuple[str, ...] = (str(job.openocd_config),) if job.openocd_config is not None else ()
    if not files and job.board.probe is not None:
        files = job.board.probe.openocd
    words = tuple(
        word for file in files for word in ("-f" if file.endswith(".cfg") or job.openocd_config else "-c", file)
    )
    serial = ("-c", f"adapter serial {job.probe}") if job.probe else ()
    return ("openocd", "-c", _NO_SERVERS, *words, *serial, *job.options)


def _steps(job: Job) -> tuple[Step, ...]:
    chip = job.board.probe.chip_id if job.board.probe is not None else None

    def step(what: str, *commands: str) -> Step:
        # OpenOCD would not end by itself, and leaves the core as it is.
        words = ("-c", "; ".join(("init", *commands, "shutdown")))
        return Step(what, (*connect(job), *words))

    # Not plain `halt`, which fails on a core that is locked up, as that of an erased chip is.
    words = ("reset halt", f"dump_image {job.chip} 0x{chip.address:08x} 4") if chip else ()
    identify = (step("identify the chip", *words),) if chip else ()
    return (
        *identify,
        step("program", "reset init", f"flash write_image erase {job.image} 0x{job.base:08x} bin"),
        step("read back", "halt", f"dump_image {job.readback} 0x{job.base:08x} {job.size_bytes}", "reset run"),
    )


TOOL = Tool(
    name="openocd",
    programs=("openocd",),
    install="sudo apt-get install openocd",
    steps=_steps,
    symptoms=(
        Symptom(r"[Mm]ultiple (matching )?(devices|probes)|more than one (device|probe)", "two-probes"),
        Symptom(
            r"open failed|unable to find a matching|[Nn]o (J-Link )?device found|Couldn't connect|"
            r"Failed to connect: Connection refused|'Failed to connect'|unable to open|[Uu]nable to locate",
            "no-probe",
        ),
        Symptom(r"Can't find \S+\.cfg|Unexpected command line argument", "unknown-target"),
        Symptom(
            r"UNEXPECTED idcode|expected \d+ of \d+: 0x|Cannot identify target|[Uu]nknown (chip|device) id",
            "wrong-chip",
        ),
        Symptom(
            r"remote_bitbang: .*(closed|error)|remote_bitbang_(read_sample|fill_buf|putc)|"
            r"[Rr]emote.*(closed|hung up)|LIBUSB_ERROR_(NO_DEVICE|IO|PIPE)|"
            r"socket: (broken|closed)|Connection reset|Broken pipe|read_response|adapter.*disconnected",
            "lost",
        ),
        Symptom(r"(device|flash|target|sector).{0,40}(locked|secured|protected)|read.?protect|approtect|RDP", "locked"),
        Symptom(r"no flash bank found|not in (any )?flash|doesn't fit|(image|section) .*too (large|big)|"
                r"does not fit|out of (the )?(flash )?bank", "too-large"),
        Symptom(r"target voltage may be too low|init mode failed|unable to connect to the target|"
                r"all ones|all zeroes|DAP .*(not|fail)|IR capture error", "no-power"),
        Symptom(r"checksum mismatch|\*\* Verify Failed|contents differ|diff \d+ address", "verify"),
        Symptom(r"[Ff]ailed (erasing|to erase|to write|writing)|error (erasing|writing)|"
                r"[Ff]lash (write|erase) (failed|error)|"
                r"timed? ?out waiting for flash|stm32x? device protected|flash_write\w* failed", "refused"),
        Symptom(r"[Tt]imed? ?out|target not halted|not halted", "lost"),
    ),
    reads_back=True,
)  # fmt: skip
