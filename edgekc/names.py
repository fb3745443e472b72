"""Names that people and files give, to what is safe in C, in comments, on terminals, as files and CMake targets."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from .errors import UsageError

MAX_NAME = 64  # characters of a network's name; files, symbols and macros add a few
_MAX_PARAMS = 63  # characters of an identifier that every C99 compiler tells apart
_OURS = ("ek", "ekc", "ekh")  # runtime, interface, harness: no name is one of these, or begins with one and `_`

_C_KEYWORDS = frozenset(
    "auto break case char const continue default do double else enum extern float for goto if inline int long "
    "register restrict return short signed sizeof static struct switch typedef union unsigned void volatile "
    "while".split()
)
# NAME.h comes before the system's headers wherever the folder's include/ is on the path.
_HEADERS = frozenset(
    # C, up to C23
    "assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg "
    "stdatomic stdbit stdbool stdckdint stddef stdint stdio stdlib stdmchar stdnoreturn string tgmath threads time "
    "uchar wchar wctype "
    # POSIX
    "aio cpio devctl dirent dlfcn endian fcntl fmtmsg fnmatch ftw getopt glob grp iconv langinfo libgen libintl "
    "monetary mqueue ndbm netdb nl_types poll pthread pwd regex sched search semaphore spawn strings stropts syslog "
    "tar termios trace ulimit unistd utime utmpx wait wordexp "
    # what those of newlib, picolibc, glibc, musl, Apple and Android include or offer beside them
    "aliases alloca ar argp argz byteswap crypt curses elf envlock envz err error execinfo fastmath features "
    "fpu_control fstab fts gconv gnumake gshadow ieee754 ieeefp ifaddrs lastlog libio link malloc mcheck memory mntent "
    "newlib nss obstack panel paths picolibc printf proc_service pty re_comp reent regdef regexp resolv rpmatch "
    "semihost sgtty shadow ssp stab stdio_ext syscall sysexits syslimits term termcap termio thread_db ttyent "
    "ucontext unctrl utmp values varargs xlocale "
    # what compilers bring; those that end in `intrin` are covered below
    "acc_prof altivec arm64intr arm_acle arm_bf16 arm_cde arm_cmse arm_fp16 arm_mve arm_mve_types arm_neon "
    "arm_neon_sve_bridge arm_sme arm_sme_draft_spec_subject_to_change arm_sve arm_vector_types armintr backtrace "
    "builtins cet cpuid gcov intrin intrin0 mm3dnow mm_malloc module omp openacc opencl quadmath quadmath_weak "
    "ptrauth stdcountof stddefer stdfix tgmath unwind unwind_itanium vadefs vecintrin xsave yvals_core".split()
)
# Targets that CMake or its generators make, words that its commands take for something else, and prefixes of its
# variables, which project() would write.
_CMAKE = frozenset(
    "all all_build clean codegen continuous depend edit_cache experimental help install "
    "list_install_components nightly nightlymemorycheck package package_source preinstall rebuild_cache run_tests test "
    "zero_check alias debug exclude_from_all general imported interface link_interface_libraries link_private "
    "link_public module object optimized private public shared static unknown version description homepage_url "
    "languages cmake cpack ctest project build".split()
)
# Libraries that projects link by name: a target of that name would be linked in their place.
_LIBRARIES = frozenset(
    "atomic c crypt dl g gcc gcov gloss m nosys pthread rdimon resolv rt ssp stdc supc unwind util z".split()
)
_DEVICES = frozenset(f"{port}{n}" for port in ("com", "lpt") for n in range(10)) | {"aux", "con", "nul", "prn"}


def check_name(name: str) -> str:
    """A network's name becomes C identifiers, files and a CMake target. Raises UsageError where it cannot."""
    why = _why_not(name)
    if why:
        raise UsageError(
            f"the name {name!r} {why}",
            fix="pass --name with letters, digits and underscores, not beginning with a digit, _, ek_, ekc_ or ekh_",
        )
    return name


def _why_not(name: str) -> str:
    """Why no network can be called so; empty where one can."""
    lower = name.lower()  # file systems and macros do not tell Math from math
    if not name.isascii() or not name.isidentifier() or name in _C_KEYWORDS or name.startswith("_"):
        return "cannot be a C identifier"
    if len(name) > MAX_NAME:
        return f"has {len(name)} characters, more than {MAX_NAME}"
    if lower in _OURS or lower.startswith(tuple(f"{prefix}_" for prefix in _OURS)):
        return "is kept for edgekc's own runtime"
    if lower in _HEADERS or lower.endswith("intrin"):
        return f"would put a {name}.h in front of the system's"
    if lower == "main":
        return "would put a main.c and a main.h beside those of the program"
    if lower in _CMAKE:
        return "means something else to CMake"
    if lower in _LIBRARIES:
        return f"would be linked in place of the system's lib{lower}"
    if lower in _DEVICES:
        return "is a device on Windows, and no file"
    return ""


def default_name(path: Path) -> str:
    """A network's name made of the file's name; always one that `check_name` takes."""
    name = re.sub(r"\W", "_", path.stem, flags=re.ASCII).lower()
    name = (name if name[:1].isalpha() else f"net_{name}")[:MAX_NAME]
    return f"net_{name}"[:MAX_NAME] if _why_not(name) else name


def params_names(nodes: Sequence[str]) -> tuple[str, ...]:
    """The C name of each layer's parameters: of the layer's name where that is safe and its own, else of its place."""
    count = Counter(nodes)
    return tuple(
        f"{name}_params" if count[name] == 1 and _is_safe(name) else f"layer_{i}_params" for i, name in enumerate(nodes)
    )


def _is_safe(name: str) -> bool:
    """Whether NAME_params is an identifier that nothing else in a network's source file can be."""
    if not name.isascii() or not name.isidentifier() or len(f"{name}_params") > _MAX_PARAMS:
        return False
    ours = name in _OURS or name.startswith(tuple(f"{prefix}_" for prefix in _OURS))  # ek_conv2d_params is a type
    return not ours and not name.startswith("_") and re.fullmatch(r"layer_\d+", name, re.ASCII) is None


def in_comment(text: str) -> str:
    """Text from a file, safe in a comment of C, CMake or a linker script: it cannot end the comment, continue it on
    the next line, form a trigraph, or show another order of characters than the compiler sees."""
    return re.sub(r"[^\w./ -]", "_", text, flags=re.ASCII)


def visible(text: str) -> str:
    """One line in which what a screen would obey, hide or reorder by (controls, line ends, bidi marks) is an escape."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def nearest(word: str, known: Sequence[str], what: str = "use one of", most: int = 12) -> str:
    """What to say about a word that nothing is called: the nearest that there is, or the first of them.

    Args:
        what: these are, before their list: use one of, keys, layers.
        most: names that are listed.
    """
    close = get_close_matches(word, known, 1, cutoff=0.5)
    listed = ", ".join(known[:most]) + (", ..." if len(known) > most else "")
    return f"did you mean {close[0]!r}?" if close else f"{what}: {listed or 'none'}"


_Record = TypeVar("_Record")


def of_kind(records: Mapping[str, _Record], word: str, what: str, where: str) -> _Record:
    """The record of a kind that the user named. UsageError with the nearest name, or all, where there is none.

    Args:
        what: these are kinds of: app, package.
        where: the user's words, for the error.
    """
    if word not in records:
        raise UsageError(f"no such kind of {what}", where=where, fix=nearest(word, list(records)))
    return records[word]
