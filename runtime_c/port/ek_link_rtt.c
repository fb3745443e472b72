/* SPDX-License-Identifier: Apache-2.0 */
/* The console's line through a debug probe: two ring buffers in RAM, which the probe finds and moves.
 * The layout is SEGGER's "Real Time Transfer" as the J-Link manual (UM08001, RTT) describes it, which pyOCD and
 * OpenOCD read too. */
#include "ek_console.h"

#define UP_BYTES 1024u
#define DOWN_BYTES 1024u
#define BLOCK_IF_FULL 2u

typedef struct {
    const char *name;
    uint8_t *buffer;
    uint32_t size;
    volatile uint32_t write, read; /* positions; equal: empty */
    uint32_t flags;
} rtt_channel;

typedef struct {
    char id[16];
    int32_t up_channels, down_channels;
    rtt_channel up, down;
} rtt_control;

extern rtt_control _SEGGER_RTT; /* the name that tools look for */
rtt_control _SEGGER_RTT;

static uint8_t up_buffer[UP_BYTES], down_buffer[DOWN_BYTES];

/* The probe reads behind the compiler's back. */
static void barrier(void)
{
    __asm__ volatile("dmb" ::: "memory");
}

void ek_link_init(void)
{
    static const char id[] = {'R', 'T', 'T', ' ', 'S', 'E', 'G', 'G', 'E', 'R'}; /* once, in its order, is enough */
    rtt_control *c = &_SEGGER_RTT;
    c->up_channels = 1;
    c->down_channels = 1;
    c->up = (rtt_channel){"edgekc", up_buffer, UP_BYTES, 0, 0, BLOCK_IF_FULL};
    c->down = (rtt_channel){"edgekc", down_buffer, DOWN_BYTES, 0, 0, BLOCK_IF_FULL};
    barrier();
    /* Last, so that no probe sees half a block, and put together here, so that flash holds no second one. */
    for (uint32_t i = 0; i < 6u; i++) {
        ((volatile char *)c->id)[i] = id[4u + i];
    }
    ((volatile char *)c->id)[6] = id[3];
    for (uint32_t i = 0; i < 3u; i++) {
        ((volatile char *)c->id)[7u + i] = id[i];
    }
    barrier();
}

uint32_t ek_link_get(uint8_t *to, uint32_t max)
{
    rtt_channel *down = &_SEGGER_RTT.down;
    uint32_t read = down->read, got = 0;
    while (down->write == read) {
    }
    barrier();
    for (uint32_t write = down->write; got < max && read != write; got++) {
        to[got] = down_buffer[read];
        read = read + 1u == DOWN_BYTES ? 0u : read + 1u;
    }
    barrier();
    down->read = read;
    return got;
}

void ek_link_put(const uint8_t *from, uint32_t bytes)
{
    rtt_channel *up = &_SEGGER_RTT.up;
    uint32_t write = up->write;
    for (uint32_t i = 0; i < bytes; i++) {
        uint32_t next = write + 1u == UP_BYTES ? 0u : write + 1u;
        while (next == up->read) {
        }
        up_buffer[write] = from[i];
        barrier();
        write = next;
        up->write = write;
    }
}
