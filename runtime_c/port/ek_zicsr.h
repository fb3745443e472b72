/* SPDX-License-Identifier: Apache-2.0 */
/* How assembly says that it reads RISC-V's control and status registers, whose extension is not among the flags. */
#ifndef EK_ZICSR_H
#define EK_ZICSR_H

#if defined(__clang__) && __clang_major__ < 17 /* which count them to the base, and do not know the directive */
#define EK_ZICSR ""
#else
#define EK_ZICSR ".option arch, +zicsr\n"
#endif

#endif
