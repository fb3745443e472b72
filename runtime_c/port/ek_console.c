/* SPDX-License-Identifier: Apache-2.0 */
/* The device's end of the framed console; edgekc is the other. */
#include "ek_console.h"

#ifdef EKC_TRACE
#include "ekc_trace.h"
#endif

#include <string.h>

#define MAGIC_0 0xECu
#define MAGIC_1 0x4Bu
#define HEADER 6u
#define ARENA_FILL 0xA5

enum { HELLO = 1, WRITE = 2, RUN = 3, READ = 4, LAYERS = 5, LAYER = 6, TEXT = 0xFE, REFUSED = 0xFF, REPLY = 0x80 };

/* One frame in each direction; the program has one console. */
static uint8_t received[HEADER + EK_CONSOLE_MAX + 4u];
static uint8_t sent[HEADER + EK_CONSOLE_MAX + 4u];
static const ek_console_model *served;
static uint32_t last_step; /* of a network with a state; NO_STEP before the first */
#define NO_STEP 0xFFFFFFFFu

/* What a layer's trace is to be copied to; layer is none in other runs. */
static struct {
    uint32_t layer, offset, count, copied;
    uint32_t seen;   /* bytes of that layer that its calls have made */
    uint32_t before; /* when the layer began */
    uint32_t spent;  /* cycles of this run that went into tracing */
    int begun;       /* a layer of this run has ended */
} trace;
#define NO_LAYER 0xFFFFFFFFu

uint32_t ek_console_crc(uint32_t crc, const uint8_t *data, uint32_t bytes)
{
    static const uint32_t table[16] = {
        0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u, 0x4DB26158u, 0x5005713Cu,
        0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu, 0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu,
    };
    crc = ~crc;
    for (uint32_t i = 0; i < bytes; i++) {
        crc = table[(crc ^ data[i]) & 15u] ^ (crc >> 4);
        crc = table[(crc ^ (uint32_t)(data[i] >> 4)) & 15u] ^ (crc >> 4);
    }
    return ~crc;
}

static void put_word(uint8_t *to, uint32_t value)
{
    for (uint32_t i = 0; i < 4u; i++) {
        to[i] = (uint8_t)(value >> (8u * i));
    }
}

static uint32_t get_word(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

/* The payload lies in `sent` already. */
static void send(uint8_t kind, uint8_t sequence, uint32_t bytes)
{
    sent[0] = MAGIC_0;
    sent[1] = MAGIC_1;
    sent[2] = kind;
    sent[3] = sequence;
    sent[4] = (uint8_t)bytes;
    sent[5] = (uint8_t)(bytes >> 8);
    put_word(sent + HEADER + bytes, ek_console_crc(0, sent + 2, HEADER - 2u + bytes));
    ek_link_put(sent, HEADER + bytes + 4u);
}

static void send_text(uint8_t kind, uint8_t sequence, const char *text)
{
    uint32_t bytes = (uint32_t)strlen(text);
    bytes = bytes < EK_CONSOLE_MAX ? bytes : EK_CONSOLE_MAX;
    memcpy(sent + HEADER, text, bytes);
    send(kind, sequence, bytes);
}

static void send_hello(uint8_t sequence)
{
    uint8_t *out = sent + HEADER;
    uint32_t name = (uint32_t)strlen(served->name);
    put_word(out, EK_CONSOLE_VERSION);
    put_word(out + 4, served->layers);
    put_word(out + 8, served->input_bytes);
    put_word(out + 12, served->output_bytes);
    put_word(out + 16, served->arena_bytes);
    put_word(out + 20, served->clock_hz);
    name = name < EK_CONSOLE_MAX - 24u ? name : EK_CONSOLE_MAX - 24u;
    memcpy(out + 24, served->name, name);
    send(HELLO | REPLY, sequence, 24u + name);
}

#ifdef EKC_TRACE
void ekc_trace(uint32_t layer, const void *data, uint32_t bytes)
{
    uint32_t now = ek_port_now();
    /* The first began with the call: before it the stack was painted. */
    uint32_t before = trace.begun ? trace.before : ek_port_start();
    trace.begun = 1;
    if (layer < served->layers) {
        served->layer_cycles[layer] += now - before;
        served->layer_crc[layer] = ek_console_crc(served->layer_crc[layer], data, bytes);
    }
    if (layer == trace.layer) {
        const uint32_t wanted = trace.offset + trace.copied; /* the next byte of the layer */
        if (wanted - trace.seen < bytes) { /* wraps to a large number where it has been seen */
            const uint32_t left = trace.count - trace.copied, rest = bytes - (wanted - trace.seen);
            const uint32_t part = rest < left ? rest : left;
            memcpy(sent + HEADER + trace.copied, (const uint8_t *)data + (wanted - trace.seen), part);
            trace.copied += part;
        }
        trace.seen += bytes;
    }
    trace.before = ek_port_now(); /* what was done here is no layer's */
    trace.spent += trace.before - now;
}
#endif

static ekc_status run(ek_port_cost *cost, uint32_t *flags)
{
    const ek_console_model *m = served;
    uint32_t before = ek_console_crc(0, m->input, m->input_bytes);
    /* What an earlier run left behind must not matter. */
    memset(m->arena, ARENA_FILL, m->arena_bytes);
    memset(m->output, ARENA_FILL, m->output_bytes);
    trace.begun = 0;
    trace.spent = 0;
    trace.seen = 0;
    for (uint32_t layer = 0; layer < m->layers; layer++) { /* layers that run by rows add up */
        m->layer_crc[layer] = m->layer_cycles[layer] = 0;
    }
    ekc_status status = ek_port_call(m->run, m->arena, m->input, m->output, cost);
    cost->ticks -= trace.spent;
    *flags = cost->overflow ? EK_CONSOLE_STACK_OVERFLOW : 0u;
    *flags |= m->intact() ? 0u : EK_CONSOLE_GUARD_BROKEN;
    *flags |= ek_console_crc(0, m->input, m->input_bytes) == before ? 0u : EK_CONSOLE_INPUT_CHANGED;
    return status;
}

/* The state as it was before this step, which is the first, the last once more, or the next; 0: it is none. */
static int go_to(uint32_t step)
{
    const ek_console_model *m = served;
    if (step == 0) {
        m->reset(m->state);
        memcpy(m->saved, m->state, m->state_bytes);
    } else if (step == last_step) {
        memcpy(m->state, m->saved, m->state_bytes);
    } else if (last_step != NO_STEP && step == last_step + 1u) {
        memcpy(m->saved, m->state, m->state_bytes);
    } else {
        return 0;
    }
    last_step = step;
    return 1;
}

static void serve_run(uint8_t sequence, const uint8_t *in)
{
    ek_port_cost cost;
    uint32_t flags;
    if (ek_console_crc(0, served->input, served->input_bytes) != get_word(in)) {
        send_text(REFUSED, sequence, "the input is not what was sent");
        return;
    }
    if (served->reset != NULL && !go_to(get_word(in + 4))) {
        send_text(REFUSED, sequence, "the step does not follow the last one");
        return;
    }
    trace.layer = NO_LAYER;
    ekc_status status = run(&cost, &flags);
    uint8_t *out = sent + HEADER;
    put_word(out, (uint32_t)status);
    put_word(out + 4, (uint32_t)cost.ticks);
    put_word(out + 8, (uint32_t)(cost.ticks >> 32));
    put_word(out + 12, cost.stack_bytes);
    put_word(out + 16, flags);
    put_word(out + 20, ek_port_counter() | (ek_port_counts_instructions() ? EK_CONSOLE_COUNTS_INSTRUCTIONS : 0u));
    send(RUN | REPLY, sequence, 24u);
}

static void serve_layers(uint8_t sequence, uint32_t first)
{
    uint32_t count = 0;
    while (first + count < served->layers && count < EK_CONSOLE_MAX / 8u) {
        put_word(sent + HEADER + 8u * count, served->layer_crc[first + count]);
        put_word(sent + HEADER + 8u * count + 4u, served->layer_cycles[first + count]);
        count++;
    }
    send(LAYERS | REPLY, sequence, 8u * count);
}

static void serve_layer(uint8_t sequence, uint32_t layer, uint32_t offset, uint32_t count)
{
    ek_port_cost cost;
    uint32_t flags;
    trace.layer = layer;
    trace.offset = offset;
    trace.count = count < EK_CONSOLE_MAX ? count : EK_CONSOLE_MAX;
    trace.copied = 0;
    if (served->reset != NULL && last_step != NO_STEP) {
        (void)go_to(last_step);
    }
    (void)run(&cost, &flags);
    trace.layer = NO_LAYER;
    send(LAYER | REPLY, sequence, trace.copied);
}

static int within(uint32_t offset, uint32_t count, uint32_t bytes)
{
    return offset <= bytes && count <= bytes - offset;
}

static int serve_other(uint8_t kind, uint8_t sequence, const uint8_t *in, uint32_t bytes)
{
    uint32_t reply = served->service(kind, in, bytes, sent + HEADER);
    if (reply > EK_CONSOLE_MAX) {
        return 0;
    }
    send((uint8_t)(kind | REPLY), sequence, reply);
    return 1;
}

static void serve_frame(uint32_t bytes)
{
    const uint8_t kind = received[2], sequence = received[3];
    const uint8_t *in = received + HEADER;
    if (kind == HELLO) {
        send_hello(sequence);
    } else if (kind == WRITE && bytes >= 4u && within(get_word(in), bytes - 4u, served->input_bytes)) {
        memcpy(served->input + get_word(in), in + 4, bytes - 4u);
        send(WRITE | REPLY, sequence, 0);
    } else if (kind == RUN && bytes == (served->reset != NULL ? 8u : 4u)) {
        serve_run(sequence, in);
    } else if (kind == READ && bytes == 8u && get_word(in + 4) <= EK_CONSOLE_MAX
               && within(get_word(in), get_word(in + 4), served->output_bytes)) {
        memcpy(sent + HEADER, served->output + get_word(in), get_word(in + 4));
        send(READ | REPLY, sequence, get_word(in + 4));
    } else if (kind == LAYERS && bytes == 4u && served->layers > 0) {
        serve_layers(sequence, get_word(in));
    } else if (kind == LAYER && bytes == 12u && served->layers > 0) {
        serve_layer(sequence, get_word(in), get_word(in + 4), get_word(in + 8));
    } else if (served->service == NULL || !serve_other(kind, sequence, in, bytes)) {
        send_text(REFUSED, sequence, "no such request");
    }
}

void ek_console_serve(const ek_console_model *model)
{
    uint32_t have = 0, wanted = HEADER;
    served = model;
    trace.layer = NO_LAYER;
    last_step = NO_STEP;
    ek_link_init();
    send_hello(0);
    for (;;) {
        uint32_t got = ek_link_get(received + have, wanted - have);
        if (got == 0) {
            return;
        }
        have += got;
        /* Only whole headers are looked at; a false start moves on by one byte. */
        while (have >= HEADER) {
            uint32_t bytes = (uint32_t)received[4] | (uint32_t)received[5] << 8;
            if (received[0] == MAGIC_0 && received[1] == MAGIC_1 && bytes <= EK_CONSOLE_MAX) {
                wanted = HEADER + bytes + 4u;
                if (have < wanted) {
                    break;
                }
                if (get_word(received + HEADER + bytes) == ek_console_crc(0, received + 2, HEADER - 2u + bytes)) {
                    serve_frame(bytes);
                    have = 0;
                    break;
                }
            }
            have--;
            memmove(received, received + 1, have);
        }
        if (have < HEADER) {
            wanted = HEADER;
        }
    }
}

#ifdef EK_CONSOLE_FILES
/* The fault handler writes to a file; here its text goes out as it comes. */
int ek_port_open(const char *path, ek_port_mode mode)
{
    (void)path;
    (void)mode;
    return 0;
}

int ek_port_write(int file, const void *from, uint32_t bytes)
{
    (void)file;
    bytes = bytes < EK_CONSOLE_MAX ? bytes : EK_CONSOLE_MAX;
    memcpy(sent + HEADER, from, bytes);
    send(TEXT, 0, bytes);
    return 0;
}

void ek_port_close(int file)
{
    (void)file;
    send(TEXT, 0, 0); /* the end of the text */
}

EK_NORETURN void ek_port_exit(int ok)
{
    (void)ok;
    for (;;) {
    }
}
#endif
