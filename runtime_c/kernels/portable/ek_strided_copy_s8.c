/* SPDX-License-Identifier: Apache-2.0 */
/* A copy of values in another order. */
#include "ek_strided_copy.h"

#include <string.h>

/* The innermost loop. */
static int8_t *run(int8_t *out, const int8_t *in, uint32_t size, int32_t step)
{
    if (step == 1) {
        memcpy(out, in, (size_t)size);
        return out + size;
    }
    for (int32_t at = 0; size != 0; size--, at += step) {
        *out++ = in[at];
    }
    return out;
}

void ek_strided_copy_s8(const ek_strided_copy_params *p, const int8_t *in, int8_t *out)
{
    int32_t at0 = p->offset;
    for (uint32_t i0 = p->size0; i0 != 0; i0--, at0 += p->step0) {
        int32_t at1 = at0;
        for (uint32_t i1 = p->size1; i1 != 0; i1--, at1 += p->step1) {
            int32_t at2 = at1;
            for (uint32_t i2 = p->size2; i2 != 0; i2--, at2 += p->step2) {
                int32_t at3 = at2;
                for (uint32_t i3 = p->size3; i3 != 0; i3--, at3 += p->step3) {
                    int32_t at4 = at3;
                    for (uint32_t i4 = p->size4; i4 != 0; i4--, at4 += p->step4) {
                        out = run(out, in + at4, p->size5, p->step5);
                    }
                }
            }
        }
    }
}
