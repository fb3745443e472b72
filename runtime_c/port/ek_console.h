/* SPDX-License-Identifier: Apache-2.0 */
/* A model served over a byte stream: requests in, replies out, in frames that survive a bad line.
 *
 * Frame: EC 4B, kind, sequence, payload length (2), payload, CRC-32 of all from kind on (4); little-endian.
 * A reply has the request's sequence and its kind + 80h. What is no frame, or damaged, is skipped: the host asks
 * again, after EK_CONSOLE_MAX zeros that end any frame begun. Every request can be asked twice.
 *
 * kind  request                         reply
 * 01    -                               version, layers, input, output, arena bytes, clock in Hz (6 words), name
 * 02    offset in the input, bytes      -
 * 03    CRC-32 of the whole input       status, cycles (2 words), stack, flags, counter (6 words)
 *       (with a state: and the step)
 * 04    offset in the output, count     bytes
 * 05    first layer                     (CRC-32 of the layer's output, cycles) of as many layers as fit
 * 06    layer, offset, count            bytes of that layer's output, from a run made for it
 * 10-14 of ek_update_service.h, in a build for updates
 * FE    (never)                         a line of text, unasked: the program faulted
 * FF    (never)                         text: why the request cannot be served
 * Steps of a sequence are counted from 0, which starts from the first state. The last step can be asked again.
 * A reply 81 with sequence 0 comes unasked after each start. 05 and 06 need a build with EKC_TRACE. */
#ifndef EK_CONSOLE_H
#define EK_CONSOLE_H

#include "ek_port.h"

#include <stdint.h>

#define EK_CONSOLE_VERSION 1u
#define EK_CONSOLE_MAX 512u /* bytes of payload */

/* Flags of a run. */
#define EK_CONSOLE_STACK_OVERFLOW 1u
#define EK_CONSOLE_GUARD_BROKEN 2u /* wrote beside arena, state, input or output */
#define EK_CONSOLE_INPUT_CHANGED 4u

/* Added to the counter of a run: a simulator, on which a tick is an instruction. */
#define EK_CONSOLE_COUNTS_INSTRUCTIONS 256u

typedef struct {
    const char *name;
    ek_port_run run;
    uint8_t *arena, *input, *output;
    uint32_t arena_bytes, input_bytes, output_bytes;
    void (*reset)(void *state); /* NULL: the network has no state */
    uint8_t *state, *saved;     /* the latter is what the former was before the last step */
    uint32_t state_bytes;
    int (*intact)(void); /* not 0: all guards are whole */
    uint32_t layers;     /* 0: built without EKC_TRACE */
    uint32_t *layer_crc, *layer_cycles; /* of the last run, `layers` of each */
    uint32_t clock_hz;   /* of the core; 0: not known */
    /* Requests of other kinds: the bytes of the reply, which it puts into `out`; above EK_CONSOLE_MAX: there is no such
     * request. NULL: there are no others. */
    uint32_t (*service)(uint8_t kind, const uint8_t *in, uint32_t bytes, uint8_t *out);
} ek_console_model;

/* Answers requests until the line ends, which only some lines do. */
void ek_console_serve(const ek_console_model *model);

/* CRC-32 as in zlib, continued from `crc` (0 at first). */
uint32_t ek_console_crc(uint32_t crc, const uint8_t *data, uint32_t bytes);

/* ---- the line, by one of ek_link_*.c ---- */

void ek_link_init(void);
/* Waits for at least one byte; 0 when the line has ended. */
uint32_t ek_link_get(uint8_t *to, uint32_t max);
void ek_link_put(const uint8_t *from, uint32_t bytes);

#endif
