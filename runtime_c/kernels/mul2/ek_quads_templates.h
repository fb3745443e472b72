/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels on templates to the weights of a filter. */
#ifndef EK_QUADS_TEMPLATES_H
#define EK_QUADS_TEMPLATES_H

#include "ek_template.h"
#include "ek_template_plan.h"

/* The next filter, (taps, in_c), its weights `step` places apart. `plan` is scratch for it. */
static inline void ek_quads_template(const ek_template_conv2d_params *p, ek_template_stream *stream, uint32_t taps,
                                     uint32_t *plan, uint32_t step, ek_s16 *to)
{
    const uint32_t channels = p->window.in_c, apart = step * channels;
    ek_template_plan(p, stream, 0, taps, 0, plan);
    for (const uint32_t *const end = plan + 2 * channels; plan != end; plan += 2, to += step) {
        const int8_t *template = p->templates + plan[0];
        const int32_t a = (int16_t)plan[1], b = ((int32_t)plan[1] >> 16) * (int32_t)p->ones;
        ek_s16 *at = to;
        for (const int8_t *const last = template + taps; template != last; at += apart) {
            *at = (int16_t)(*template++ * a + b);
        }
    }
}

#endif
