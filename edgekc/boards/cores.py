"""The processor cores: what each executes, and how each compiler and emulator is told so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

System = Literal["bare", "linux", "library"]  # library: objects for an app, which edgekc does not run


@dataclass(frozen=True, slots=True)
class Core:
    """What one processor core executes, and how each compiler is told so."""

    name: str
    features: frozenset[str]  # the words that Kernel.needs may use
    gcc_flags: tuple[str, ...]
    zig_flags: tuple[str, ...]  # the arguments of `zig cc`, target included
    system: System = "bare"
    unicorn_model: str | None = None  # X of unicorn's UC_CPU_ARM_X; None: unicorn has no such core


_SOFT = "thumb-freestanding-eabi"
_HARD = "thumb-freestanding-eabihf"


def _cortex_m(name: str, features: str, gcc: str, zig: str, *, hard: bool = False, unicorn: str | None = None) -> Core:
    abi = "hard" if hard else "soft"
    return Core(
        name,
        frozenset(features.split()),
        ("-mthumb", *gcc.split(), f"-mfloat-abi={abi}"),
        ("-target", _HARD if hard else _SOFT, f"-mcpu={zig}"),
        unicorn_model=unicorn,
    )


def _riscv(name: str, arch: str, zig: str, *, system: System = "bare") -> Core:
    """A 32-bit RISC-V core. Without Zbs, even where a chip has it: gcc 12 crashes on kernels with Zba, Zbb and Zbs."""
    return Core(
        name,
        frozenset({"riscv"}),
        (f"-march={arch}", "-mabi=ilp32"),
        ("-target", "riscv32-freestanding-none", f"-mcpu=generic_rv32{zig}", "-mabi=ilp32"),
        system=system,
    )


# thumb1: ARMv6-M, no unaligned access and no 32-bit Thumb; thumb2: ARMv7-M and later. dsp: SMLAD and
# friends; dual: two instructions a cycle; mve: Helium; fpu: floating-point registers; neon: Advanced SIMD;
# dotprod: sums of four products of bytes (SDOT; on x86 VPDPBUSD); i8mm: SMMLA; vector: ek_vec.h knows the core's vector
# instructions; riscv: RV32 with M, whose multiplications take one instruction.
CORES: dict[str, Core] = {
    core.name: core
    for core in (
        _cortex_m("cortex-m0", "thumb1", "-mcpu=cortex-m0", "cortex_m0", unicorn="CORTEX_M0"),
        # Same instruction set as M0 (ARMv6-M), so unicorn's M0 is exact for it.
        _cortex_m("cortex-m0plus", "thumb1", "-mcpu=cortex-m0plus", "cortex_m0plus", unicorn="CORTEX_M0"),
        _cortex_m("cortex-m3", "thumb2", "-mcpu=cortex-m3", "cortex_m3", unicorn="CORTEX_M3"),
        _cortex_m("cortex-m4", "thumb2 dsp", "-mcpu=cortex-m4", "cortex_m4", unicorn="CORTEX_M4"),
        _cortex_m(
            "cortex-m4f", "thumb2 dsp fpu", "-mcpu=cortex-m4 -mfpu=fpv4-sp-d16", "cortex_m4+vfp4d16sp",
            hard=True, unicorn="CORTEX_M4",
        ),
        _cortex_m(
            "cortex-m7", "thumb2 dsp dual fpu", "-mcpu=cortex-m7 -mfpu=fpv5-d16", "cortex_m7+fp_armv8d16",
            hard=True, unicorn="CORTEX_M7",
        ),
        _cortex_m(
            "cortex-m33", "thumb2 dsp fpu", "-mcpu=cortex-m33 -mfpu=fpv5-sp-d16",
            "cortex_m33+dsp+fp_armv8d16sp", hard=True, unicorn="CORTEX_M33",
        ),
        _cortex_m(
            "cortex-m33-nodsp", "thumb2", "-mcpu=cortex-m33+nodsp+nofp", "cortex_m33-dsp-fp_armv8d16sp",
            unicorn="CORTEX_M33",
        ),
        _cortex_m("cortex-m55", "thumb2 dsp fpu mve", "-mcpu=cortex-m55", "cortex_m55+mve+mve_fp", hard=True),
        # gcc knows this one by name from release 13 on; the architecture is all that any release needs.
        _cortex_m(
            "cortex-m85", "thumb2 dsp fpu mve", "-march=armv8.1-m.main+dsp+mve.fp+fp.dp",
            "cortex_m85+mve+mve_fp", hard=True,
        ),
        _riscv("rv32imac", "rv32imac", "+m+a+c"),
        _riscv("rv32imc-zba-zbb", "rv32imc_zba_zbb", "+m+c+zba+zbb"),
        _riscv("hazard3", "rv32imac_zba_zbb", "+m+a+c+zba+zbb"),
        _riscv("esp32c3", "rv32imc", "+m+c", system="library"),
        Core(
            "cortex-a7", frozenset({"fpu", "neon", "vector"}),
            ("-mcpu=cortex-a7", "-mfpu=neon-vfpv4", "-mfloat-abi=hard"),
            ("-target", "arm-linux-musleabihf", "-mcpu=cortex_a7"), system="linux",
        ),
        Core(
            "cortex-a53", frozenset({"aarch64", "fpu", "neon", "vector"}), ("-mcpu=cortex-a53",),
            ("-target", "aarch64-linux-musl", "-mcpu=cortex_a53"), system="linux",
        ),
        Core(
            "cortex-a72", frozenset({"aarch64", "fpu", "neon", "vector"}), ("-mcpu=cortex-a72",),
            ("-target", "aarch64-linux-musl", "-mcpu=cortex_a72"), system="linux",
        ),
        Core(
            "armv8-a", frozenset({"aarch64", "fpu", "neon", "vector"}), ("-march=armv8-a",),
            ("-march=armv8_a",), system="library",
        ),
        Core(
            "cortex-a76", frozenset({"aarch64", "fpu", "neon", "dotprod", "vector"}), ("-mcpu=cortex-a76",),
            ("-target", "aarch64-linux-musl", "-mcpu=cortex_a76"), system="linux",
        ),
        Core(
            "armv8.6-a", frozenset({"aarch64", "fpu", "neon", "dotprod", "i8mm", "vector"}), ("-march=armv8.6-a",),
            ("-target", "aarch64-linux-musl", "-mcpu=generic+v8.6a"), system="linux",
        ),
    )
}  # fmt: skip
