/* SPDX-License-Identifier: Apache-2.0 */
#include "ek_decision.h"

uint32_t ek_decision_largest(const int8_t *output, uint32_t count)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++) {
        best = output[i] > output[best] ? i : best;
    }
    return best;
}

uint32_t ek_decision_score(const ek_decision_errors *errors, const int8_t *input, const int8_t *output, uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        int32_t wanted = (input[i] - errors->in_zero) * errors->in_factor;
        int32_t found = (output[i] - errors->out_zero) * errors->out_factor;
        /* At most 2 * 255 * 128, whose square is below 2^32. */
        uint32_t error = (uint32_t)(wanted > found ? wanted - found : found - wanted);
        sum += error * error;
    }
    return (uint32_t)(sum >> 14);
}

void ek_decision_reset(ek_decision *decision, uint8_t first)
{
    decision->stands = first;
    decision->other = EK_DECISION_NONE;
    decision->times = 0;
}

int ek_decision_put(ek_decision *decision, uint8_t found, uint8_t hold)
{
    if (found == decision->stands) {
        decision->times = 0;
    } else {
        decision->times = found == decision->other ? (uint8_t)(decision->times + 1u) : 1u;
    }
    decision->other = found;
    if (decision->times < hold) {
        return 0;
    }
    decision->stands = found;
    decision->times = 0;
    return 1;
}
