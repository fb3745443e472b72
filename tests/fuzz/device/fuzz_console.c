/* SPDX-License-Identifier: Apache-2.0 */
/* The console's line. The input is a row of pieces: a byte says whether its piece is raw, or a frame that gets its magic
 * and its sum. Each answer must be a whole frame with a right sum. */
#include "ek_console.h"
#include "ekc_trace.h"

#include <stdlib.h>
#include <string.h>

#define INPUT 40u
#define OUTPUT 600u
#define STATE 16u
#define LAYERS 3u
#define FRAME (6u + EK_CONSOLE_MAX + 4u)

static const uint8_t *at;
static size_t left;
static uint8_t piece[FRAME];
static uint32_t have, given;
static uint8_t arena[64], input[INPUT], output[OUTPUT], state[STATE], saved[STATE];
static uint32_t crcs[LAYERS], cycles[LAYERS];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static uint32_t take(void)
{
    return left == 0 ? 0 : (left--, *at++);
}

/* The next piece of the line; 0: there is none. */
static int next(void)
{
    if (left == 0) {
        return 0;
    }
    uint32_t how = take(), bytes = take() | (how & 3u) << 8;
    bytes = bytes < left ? bytes : (uint32_t)left;
    bytes = bytes < EK_CONSOLE_MAX ? bytes : EK_CONSOLE_MAX;
    given = 0;
    if (how & 4u) { /* raw */
        memcpy(piece, at, bytes);
        have = bytes;
    } else {
        piece[0] = 0xEC;
        piece[1] = 0x4B;
        piece[2] = (uint8_t)(how >> 4);
        piece[3] = (uint8_t)(how >> 3);
        piece[4] = (uint8_t)bytes;
        piece[5] = (uint8_t)(bytes >> 8);
        memcpy(piece + 6, at, bytes);
        if (piece[2] == 3 && bytes >= 4) { /* a run of the input that is there */
            uint32_t sum = ek_console_crc(0, input, INPUT);
            memcpy(piece + 6, &sum, 4);
        }
        uint32_t crc = ek_console_crc(0, piece + 2, 4 + bytes);
        memcpy(piece + 6 + bytes, &crc, 4);
        have = 6 + bytes + 4;
    }
    at += bytes;
    left -= bytes;
    return 1;
}

void ek_link_init(void)
{
}

uint32_t ek_link_get(uint8_t *to, uint32_t max)
{
    while (given == have) {
        if (!next()) {
            return 0;
        }
    }
    uint32_t bytes = have - given < max ? have - given : max;
    memcpy(to, piece + given, bytes);
    given += bytes;
    return bytes;
}

void ek_link_put(const uint8_t *from, uint32_t bytes)
{
    uint32_t crc;
    if (bytes < 10 || from[0] != 0xEC || from[1] != 0x4B || bytes != 10u + from[4] + 256u * from[5]) {
        abort();
    }
    memcpy(&crc, from + bytes - 4, 4);
    if (crc != ek_console_crc(0, from + 2, bytes - 6)) {
        abort();
    }
}

static ekc_status run(void *in_arena, const void *in, void *out)
{
    uint8_t *to = out;
    (void)in_arena;
    for (uint32_t i = 0; i < OUTPUT; i++) {
        to[i] = ((const uint8_t *)in)[i % INPUT];
    }
    ekc_trace(0, out, OUTPUT / 2);
    ekc_trace(0, to + OUTPUT / 2, OUTPUT / 2); /* a layer by rows */
    ekc_trace(1, in, 1);
    state[0]++;
    return EKC_OK;
}

ekc_status ek_port_call(ek_port_run call, void *in_arena, const void *in, void *out, ek_port_cost *cost)
{
    memset(cost, 0, sizeof *cost);
    return call(in_arena, in, out);
}

uint32_t ek_port_now(void)
{
    return 7;
}

uint32_t ek_port_start(void)
{
    return 3;
}

uint32_t ek_port_counter(void)
{
    return 0;
}

int ek_port_counts_instructions(void)
{
    return 0;
}

static void reset(void *of)
{
    memset(of, 0, STATE);
}

static int intact(void)
{
    return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    ek_console_model model = {
        .name = "fuzz", .run = run, .intact = intact, .saved = saved, .state_bytes = STATE,
        .arena = arena, .arena_bytes = sizeof arena,
        .input = input, .input_bytes = INPUT, .output = output, .output_bytes = OUTPUT,
        .layers = LAYERS, .layer_crc = crcs, .layer_cycles = cycles,
    };
    at = data;
    left = bytes;
    have = given = 0;
    if (take() & 1u) {
        model.reset = reset;
        model.state = state;
    }
    ek_console_serve(&model);
    return 0;
}
