"""A network to a CMake project for the Android NDK, with a class for Java and Kotlin."""

from __future__ import annotations

from .net import class_name
from .package import Package

# Keywords of Java, which no part of a package's name may be, and classes that every file of Java sees.
_KEYWORDS = frozenset(
    "abstract assert boolean break byte case catch char class const continue default do double else enum extends final "
    "finally float for goto if implements import instanceof int interface long native new package private protected "
    "public return short static strictfp super switch synchronized this throw throws transient try void volatile while "
    "true false null record var yield sealed permits".split()
)
_CLASSES = frozenset(
    "Boolean Byte Character Class Deprecated Double Error Exception Float Integer Iterable Long Math Number Object "
    "Override Process Record Runnable Runtime Short String StringBuilder System Thread Throwable Void".split()
)


def _name_problem(name: str) -> str:
    title = class_name(name)
    if name.lower() in _KEYWORDS:
        return "is a keyword of Java"
    return f"would make a class {title}, which Java has already" if title in _CLASSES else ""


PACKAGE = Package(
    "android",
    sources="cpp/src",
    headers="cpp/include",
    sample="",
    name_problem=_name_problem,
    extensions=frozenset({"vector"}),
    board="android-arm64",
)
