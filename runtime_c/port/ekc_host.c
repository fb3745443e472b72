/* SPDX-License-Identifier: Apache-2.0 */
/* Shared library around one generated network, for the host emulator: many inferences in one call. */
#include <stdint.h>
#include <string.h>

#include "ekc_status.h"
#include "ekc_trace.h"

/*
 * The build names the network: -DEKC_RUN=name_run, and -DEKC_RESET=name_reset of one with a state. With -DEKC_OPEN=name_open
 * and -DEKC_MODEL_BYTES its constants are in a blob, which is opened before it runs.
 */
#ifdef EKC_OPEN
static uint64_t model[(EKC_MODEL_BYTES + 7) / 8];
#define MODEL model,
#define MODEL_TYPE const void *,
int EKC_OPEN(const void *blob, size_t bytes, void *out);
int32_t ekc_host_open(const void *blob, uint64_t bytes);
int32_t ekc_host_open(const void *blob, uint64_t bytes)
{
    return (int32_t)EKC_OPEN(blob, (size_t)bytes, model);
}
#else
#define MODEL
#define MODEL_TYPE
#endif
#ifdef EKC_RESET
void EKC_RESET(MODEL_TYPE void *state);
ekc_status EKC_RUN(MODEL_TYPE void *arena, void *state, const void *input, void *output);
#else
ekc_status EKC_RUN(MODEL_TYPE void *arena, const void *input, void *output);
#endif

#define GUARD_BYTES 64u

/*
 * Run `count` samples, with a state from its first value on. `arena` has arena_bytes and then GUARD_BYTES of 0xA5;
 * so has `state`, and `output` after its last sample. Returns 0, a status of the network (> 0), or -1 - k if sample
 * k wrote over a guard.
 */
int64_t ekc_host_run(uint64_t count, uint8_t *arena, uint64_t arena_bytes, uint8_t *state, uint64_t state_bytes,
                     const uint8_t *input, uint64_t input_bytes, uint8_t *output, uint64_t output_bytes);
int64_t ekc_host_run(uint64_t count, uint8_t *arena, uint64_t arena_bytes, uint8_t *state, uint64_t state_bytes,
                     const uint8_t *input, uint64_t input_bytes, uint8_t *output, uint64_t output_bytes)
{
#ifdef EKC_RESET
    EKC_RESET(MODEL state);
#endif
    for (uint64_t k = 0; k < count; k++) {
        uint8_t *const y = output + k * output_bytes;
        ekc_status status;
        /* What an earlier inference left must not matter, and the bytes after this output are its guard. */
        memset(arena, 0x5A, arena_bytes);
        memset(y + output_bytes, 0xA5, GUARD_BYTES);
#ifdef EKC_RESET
        status = EKC_RUN(MODEL arena, state, input + k * input_bytes, y);
#else
        status = EKC_RUN(MODEL arena, input + k * input_bytes, y);
#endif
        if (status != EKC_OK) {
            return (int64_t)status;
        }
        for (uint64_t i = 0; i < GUARD_BYTES; i++) {
            if (arena[arena_bytes + i] != 0xA5 || state[state_bytes + i] != 0xA5 || y[output_bytes + i] != 0xA5) {
                return -1 - (int64_t)k;
            }
        }
    }
    return 0;
}

#ifdef EKC_TRACE
typedef void (*ekc_host_sink)(uint32_t layer, const void *data, uint32_t bytes);
void ekc_host_set_sink(ekc_host_sink s);

static ekc_host_sink sink;

void ekc_host_set_sink(ekc_host_sink s)
{
    sink = s;
}

void ekc_trace(uint32_t layer, const void *data, uint32_t bytes)
{
    sink(layer, data, bytes);
}
#endif
