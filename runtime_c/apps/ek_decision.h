/* SPDX-License-Identifier: Apache-2.0 */
/* What a network says of one window after the other, in integers: an anomaly's score, and decisions that do not
 * flicker. The definition is edgekc/apps/decisions.py. No libc, no heap, no globals. */
#ifndef EK_DECISION_H
#define EK_DECISION_H

#include <stdint.h>

#define EK_DECISION_NONE 255u /* none yet */

/* How levels of an autoencoder's input and output are compared: (level - zero) * factor of both. */
typedef struct {
    int16_t in_zero, in_factor, out_zero, out_factor; /* factors are 1 to 128 */
} ek_decision_errors;

/* What is kept between two windows. */
typedef struct {
    uint8_t stands; /* the decision that stands */
    uint8_t other;  /* the last one that came */
    uint8_t times;  /* how often in a row it came, where it is another one */
} ek_decision;

/* The index of the largest output; of equal ones the first. */
uint32_t ek_decision_largest(const int8_t *output, uint32_t count);

/* The sum of squared errors over 2^14. `count` is at most 16,384. */
uint32_t ek_decision_score(const ek_decision_errors *errors, const int8_t *input, const int8_t *output, uint32_t count);

/* `first` stands before the first window: EK_DECISION_NONE, or a decision. */
void ek_decision_reset(ek_decision *decision, uint8_t first);

/* Takes what was found in a window, below 255. It stands when it came `hold` times in a row. Not 0: another decision
 * stands now. */
int ek_decision_put(ek_decision *decision, uint8_t found, uint8_t hold);

#endif
