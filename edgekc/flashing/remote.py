"""Programs for Linux boards by scp and ssh, and for Android by adb; the copy is fetched again and compared."""

from __future__ import annotations

from pathlib import PurePosixPath

from .records import Job, Step, Symptom, Tool

_SSH = ("-o", "BatchMode=yes", "-o", "ConnectTimeout=10")


def program_on_linux(job: Job) -> str:
    """Where the program lies on the board, seen from the user's home folder."""
    return f"edgekc/{PurePosixPath(job.image).name}"


def program_on_android(job: Job) -> str:
    return f"/data/local/tmp/{PurePosixPath(job.image).name}"


def host(job: Job) -> str:
    return job.probe or (job.board.probe.address if job.board.probe is not None else "")


def _ssh_steps(job: Job) -> tuple[Step, ...]:
    to, path = host(job), program_on_linux(job)
    return (
        Step("make the folder", ("ssh", *_SSH, *job.options, to, f"mkdir -p {PurePosixPath(path).parent}")),
        Step("program", ("scp", "-q", "-p", *_SSH, *job.options, job.image, f"{to}:{path}")),
        Step("read back", ("scp", "-q", *_SSH, *job.options, f"{to}:{path}", job.readback)),
    )


def _adb_steps(job: Job) -> tuple[Step, ...]:
    adb, path = ("adb", *(("-s", job.probe) if job.probe else ()), *job.options), program_on_android(job)
    return (
        Step("program", (*adb, "push", job.image, path)),
        Step("make it executable", (*adb, "shell", "chmod", "755", path)),
        Step("read back", (*adb, "pull", path, job.readback)),
    )


SSH = Tool(
    name="ssh",
    programs=("ssh", "scp"),
    install="sudo apt-get install openssh-client",
    steps=_ssh_steps,
    symptoms=(
        Symptom(r"Permission denied \(|Host key verification failed|Too many authentication", "locked"),
        Symptom(r"Could not resolve|[Cc]onnection (refused|timed out)|No route to host", "no-probe"),
        Symptom(r"No space left", "too-large"),
        Symptom(r"[Ll]ost connection|Connection (closed|reset)|Broken pipe", "lost"),
        Symptom(r"Permission denied|Read-only file system|Text file busy", "refused"),
    ),
    reads_back=True,
)

ADB = Tool(
    name="adb",
    programs=("adb",),
    install="sudo apt-get install adb",
    steps=_adb_steps,
    symptoms=(
        Symptom(r"more than one device", "two-probes"),
        Symptom(r"no devices/emulators found|device '.*' not found|device offline|cannot connect", "no-probe"),
        Symptom(r"unauthorized|insufficient permissions", "locked"),
        Symptom(r"No space left", "too-large"),
        Symptom(r"protocol fault|connection reset|device disconnected|closed", "lost"),
        Symptom(r"Permission denied|Read-only file system", "refused"),
    ),
    reads_back=True,
)
