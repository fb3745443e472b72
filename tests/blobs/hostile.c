/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the network `net` with each blob of a file on one input: under sanitizers, which end it where they find something.
 * The buffers end where theirs do. */
#include "net.h"

#include <stdio.h>
#include <stdlib.h>

#ifndef NET_STATE_BYTES
#define RUN(model, arena, state, in, out) net_run(model, arena, in, out)
#define NET_STATE_BYTES 1u
#else
#define RUN(model, arena, state, in, out) (net_reset(model, state), net_run(model, arena, state, in, out))
#endif

int main(int count, char **words)
{
    FILE *const file = count == 2 ? fopen(words[1], "rb") : NULL;
    void *const blob = malloc(NET_BLOB_BYTES);
    int8_t *const arena = malloc(NET_ARENA_BYTES + 1u), *const in = malloc(NET_INPUT_BYTES);
    int8_t *const out = malloc(NET_OUTPUT_BYTES), *const state = malloc(NET_STATE_BYTES);
    int runs = 0;

    if (file == NULL || fread(in, 1, NET_INPUT_BYTES, file) != NET_INPUT_BYTES) {
        return 1;
    }
    (void)state;
    while (fread(blob, 1, NET_BLOB_BYTES, file) == NET_BLOB_BYTES) {
        net_model model;
        if (net_open(blob, NET_BLOB_BYTES, &model) != EK_BLOB_OK) {
            return 2;
        }
        if (RUN(&model, arena, state, in, out) != EKC_OK) {
            return 3;
        }
        runs++;
    }
    printf("%d\n", runs);
    free(blob), free(arena), free(in), free(out), free(state);
    return fclose(file);
}
