/* SPDX-License-Identifier: Apache-2.0 */
/* SVDF: each filter's newest value joins its memory, in place of the oldest, and units are sums over memories. */
#include "ek_svdf.h"

#include "ek_fixedpoint.h"
#include "ek_kept16.h"

/* The value of a filter in this step. */
static int32_t newest(const ek_svdf_params *p, const int8_t *x, uint32_t filter)
{
    const int8_t *const row = p->feature + filter * p->inputs;
    int32_t sum = p->feature_bias[filter];
    for (uint32_t i = 0; i < p->inputs; i++) {
        sum += (int32_t)x[i] * row[i];
    }
    return ek_clamp(ek_requant_double(sum, p->pair_multiplier[0], p->pair_shift[0]), -(int32_t)INT16_MAX - 1, INT16_MAX);
}

void ek_svdf_s8(const ek_svdf_params *p, const int8_t *x, const int8_t *kept, int8_t *out)
{
    const ek_s16 *time = p->time;
    int8_t *const units = out + p->units * p->rank * p->steps * 2u;
    uint32_t filter = 0;
    for (uint32_t unit = 0; unit < p->units; unit++) {
        uint32_t sum = (uint32_t)p->unit_bias[unit]; /* sums of 32 bits wrap */
        int32_t value;
        for (uint32_t k = 0; k < p->rank; k++, filter++) {
            const int32_t last = newest(p, x, filter);
            for (uint32_t step = 1; step < p->steps; step++, out += 2) {
                const int32_t older = ek_get16(kept += 2);
                ek_put16(out, older);
                sum += (uint32_t)(older * *time++);
            }
            ek_put16(out, last);
            sum += (uint32_t)(last * *time++);
            kept += 2;
            out += 2;
        }
        value = ek_requant_double((int32_t)sum, p->pair_multiplier[1], p->pair_shift[1]);
        units[unit] = (int8_t)(ek_clamp(value, -128 - p->out_zero, 127 - p->out_zero) + p->out_zero);
    }
}
