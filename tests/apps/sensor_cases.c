/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of standard input through the C of the app `sensor`; test_windows.py writes them and reads the answers. */
#include "ek_decision.h"
#include "ek_window.h"

#include <stdio.h>
#include <stdlib.h>

/* Exactly as large as they say, so that a sanitizer sees every byte beyond. */
static void *taken(size_t bytes)
{
    void *to = malloc(bytes ? bytes : 1);
    if (to == NULL || fread(to, 1, bytes, stdin) != bytes) {
        exit(3);
    }
    return to;
}

static void window_case(void)
{
    int32_t *n = taken(5 * sizeof *n); /* channels, rows of a window, stride, zero point, rows of the stream */
    int32_t *numbers = taken((size_t)n[0] * 3 * sizeof *numbers);
    ek_window_channel *channels = malloc((size_t)n[0] * sizeof *channels);
    size_t bytes = (size_t)n[0] * (size_t)n[1];
    int8_t *levels = malloc(bytes);
    for (int32_t i = 0; i < n[0]; i++) {
        channels[i].middle = (int16_t)numbers[3 * i];
        channels[i].factor = (uint16_t)numbers[3 * i + 1];
        channels[i].shift = (uint16_t)numbers[3 * i + 2];
    }
    ek_window window = {channels, levels, (uint16_t)n[0], (uint16_t)n[1], (uint16_t)n[2], 1, (int16_t)n[3]};
    ek_window_reset(&window);
    for (int32_t i = 0; i < n[4]; i++) {
        int16_t *row = taken((size_t)n[0] * sizeof *row);
        if (ek_window_put(&window, row)) {
            fwrite(levels, 1, bytes, stdout);
        }
        free(row);
    }
    free(levels);
    free(channels);
    free(numbers);
    free(n);
}

static void score_case(void)
{
    int32_t *n = taken(5 * sizeof *n); /* elements, zero and factor of the input, of the output */
    ek_decision_errors errors = {(int16_t)n[1], (int16_t)n[2], (int16_t)n[3], (int16_t)n[4]};
    int8_t *input = taken((size_t)n[0]), *output = taken((size_t)n[0]);
    uint32_t said[2] = {ek_decision_score(&errors, input, output, (uint32_t)n[0]),
                        ek_decision_largest(output, (uint32_t)n[0])};
    fwrite(said, sizeof said, 1, stdout);
    free(output);
    free(input);
    free(n);
}

static void steady_case(void)
{
    int32_t *n = taken(3 * sizeof *n); /* decisions, hold, first */
    uint8_t *found = taken((size_t)n[0]);
    ek_decision decision;
    ek_decision_reset(&decision, (uint8_t)n[2]);
    for (int32_t i = 0; i < n[0]; i++) {
        uint8_t before = decision.stands;
        if (ek_decision_put(&decision, found[i], (uint8_t)n[1]) != (before != decision.stands)) {
            exit(4);
        }
        fwrite(&decision.stands, 1, 1, stdout);
    }
    free(found);
    free(n);
}

int main(void)
{
    for (int kind = getchar(); kind != EOF; kind = getchar()) {
        kind == 'w' ? window_case() : kind == 's' ? score_case() : steady_case();
    }
    return 0;
}
