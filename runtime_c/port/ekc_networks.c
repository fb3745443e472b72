/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs generated networks one after the other under the sanitizers. The build writes the table `networks`.
 *
 * Arguments: a file with, for each network, the number of samples (uint32) and their inputs; and the file to write:
 * for each sample the output of every layer, then the network's outputs. Buffers have exactly their size. While a
 * layer runs, all bytes of the arena, the inputs and the outputs that are not its own are poisoned.
 */
#include "ekc_networks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ekc_trace.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define POISON(p, bytes) ASAN_POISON_MEMORY_REGION(p, bytes)
#define UNPOISON(p, bytes) ASAN_UNPOISON_MEMORY_REGION(p, bytes)
#else
#define POISON(p, bytes) ((void)(p), (void)(bytes))
#define UNPOISON(p, bytes) ((void)(p), (void)(bytes))
#endif

static FILE *results;
static const ekr_network *net;
static uint8_t *spaces[3]; /* arena, inputs, outputs */

static void allow(uint32_t layer)
{
    const uint32_t bytes[3] = {net->arena_bytes, net->input_bytes, net->output_bytes};
    for (uint32_t i = 0; i < 3; i++) {
        POISON(spaces[i], bytes[i]);
    }
    for (uint32_t i = 0; i < net->regions; i++) {
        const ekr_region *r = &net->region[i];
        if (r->layer == layer) {
            UNPOISON(spaces[r->space] + r->offset, r->bytes);
        }
    }
}

void ekc_trace(uint32_t layer, const void *data, uint32_t bytes)
{
    fwrite(data, 1, bytes, results);
    allow(layer + 1);
}

static void *take(size_t bytes, int fill)
{
    void *p = malloc(bytes > 0 ? bytes : 1);
    if (p == NULL) {
        exit(3);
    }
    memset(p, fill, bytes > 0 ? bytes : 1);
    return p;
}

static void run_sample(FILE *samples)
{
    uint8_t *const given = take(net->input_bytes, 0);
    ekc_status status;
    spaces[0] = take(net->arena_bytes, 0x5A);
    spaces[1] = take(net->input_bytes, 0);
    spaces[2] = take(net->output_bytes, 0xA5);
    if (fread(given, 1, net->input_bytes, samples) != net->input_bytes) {
        exit(3);
    }
    memcpy(spaces[1], given, net->input_bytes);
    allow(0);
    status = net->run(spaces[0], spaces[1], spaces[2]);
    UNPOISON(spaces[0], net->arena_bytes);
    UNPOISON(spaces[1], net->input_bytes);
    UNPOISON(spaces[2], net->output_bytes);
    if (status != EKC_OK || memcmp(given, spaces[1], net->input_bytes) != 0) {
        printf("status %d, or the input was written\n", (int)status);
        exit(4);
    }
    fwrite(spaces[2], 1, net->output_bytes, results);
    free(given);
    for (int i = 0; i < 3; i++) {
        free(spaces[i]);
    }
}

int main(int argc, char **argv)
{
    FILE *const samples = argc == 3 ? fopen(argv[1], "rb") : NULL;
    results = argc == 3 ? fopen(argv[2], "wb") : NULL;
    if (samples == NULL || results == NULL) {
        return 3;
    }
    for (uint32_t n = 0; n < ekr_network_count; n++) {
        uint32_t count;
        net = &ekr_networks[n];
        if (fread(&count, sizeof count, 1, samples) != 1) {
            return 3;
        }
        if (net->begin != NULL) {
            net->begin();
        }
        for (uint32_t k = 0; k < count; k++) {
            printf("%s %u\n", net->name, (unsigned)k); /* the last line names what a sanitizer stopped */
            fflush(stdout);
            run_sample(samples);
        }
        fflush(results);
    }
    return fclose(results) == 0 && fclose(samples) == 0 ? 0 : 3;
}
