"""A network to a `no_std` crate: a safe wrapper around the C, which `build.rs` compiles."""

from __future__ import annotations

from .bom import other
from .package import Package

# Words that no crate can be called: keywords of Rust 2021 and crates that are always there.
_TAKEN = frozenset(
    "abstract alloc as async await become box break const continue core crate do dyn else enum extern false final fn "
    "for if impl in let loop macro match mod move mut override priv proc_macro pub ref return self static std struct "
    "super test trait true try type typeof unsafe unsized use virtual where while yield cc".split()
)


def _name_problem(name: str) -> str:
    return "means something else in Rust" if name.lower() in _TAKEN else ""


PACKAGE = Package(
    "rust",
    sources="csrc",
    sample="",
    name_problem=_name_problem,
    others=(other("cc", "MIT OR Apache-2.0", "pkg:cargo/cc", "excluded"),),  # build.rs runs it
)
