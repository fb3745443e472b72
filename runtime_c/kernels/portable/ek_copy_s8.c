/* SPDX-License-Identifier: Apache-2.0 */
/* Copy. */
#include "ek_copy.h"

#include <string.h>

void ek_copy_s8(const ek_copy_params *p, const int8_t *in, int8_t *out)
{
    if (in != out) {
        memcpy(out, in, (size_t)p->bytes);
    }
}
