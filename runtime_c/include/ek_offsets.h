/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where assembly finds the fields of a struct. Each number stands once, is compared with what the compiler does, and
 * goes into instructions by its name: "ldr r0, [r1, #" EK_TEXT(FRAME_END) "]".
 */
#ifndef EK_OFFSETS_H
#define EK_OFFSETS_H

#include <stddef.h>

/* Assembly runs on cores whose pointers have 4 bytes; on others nothing is compared. */
#define EK_CHECK_OFFSET(type, field, offset) \
    typedef char ek_check_##type##_##field[sizeof(void *) != 4 || offsetof(type, field) == (offset) ? 1 : -1]
#define EK_CHECK_SIZE(type, size) typedef char ek_check_##type[sizeof(void *) != 4 || sizeof(type) == (size) ? 1 : -1]

#define EK_TEXT(number) EK_TEXT_OF(number)
#define EK_TEXT_OF(number) #number

#endif
