/* SPDX-License-Identifier: Apache-2.0 */
/* Which layer of a group runs next, on which rows. */
#include "ek_rows.h"

#include <string.h>

void ek_rows_begin(const ek_rows *group, ek_rows_held *held, ek_rows_call *call)
{
    for (uint32_t t = 0; t <= group->count; t++) {
        held[t].first = held[t].made = 0;
    }
    held[0].made = group->feed > 0 ? 0 : group->tensors[0].height;
    call->ran = (uint16_t)(group->count - 1u);
}

/* The first row of a tensor that a layer has yet to read; its next row where that is none. */
static uint32_t needed(const ek_rows *group, const ek_rows_held *held, uint32_t tensor)
{
    uint32_t first = held[tensor].made;
    for (uint32_t k = tensor; k < group->count; k++) { /* a reader comes behind the layer that makes the tensor */
        const ek_rows_layer *const layer = group->layers + k;
        if (layer->in[0] == tensor || layer->in[1] == tensor) {
            const uint32_t row = held[k + 1].made, top = row * layer->stride;
            if (row < group->tensors[k + 1].height) {
                const uint32_t begin = top > layer->pad ? top - layer->pad : 0;
                first = begin < first ? begin : first;
            }
        }
    }
    return first;
}

/* Moves the rows that are needed to the beginning of the buffer of a tensor. */
static void move(const ek_rows *group, ek_rows_held *held, int8_t *arena, uint32_t tensor)
{
    const uint32_t first = needed(group, held, tensor), row_bytes = group->tensors[tensor].row_bytes;
    const uint32_t apart = (first - held[tensor].first) * row_bytes;
    int8_t *buffer = arena + group->tensors[tensor].place;
    uint32_t end = held[tensor].made, left;
    for (uint32_t t = 0; t <= tensor; t++) { /* others in the buffer may be ahead */
        if (group->tensors[t].buffer == tensor && held[t].made > end) {
            end = held[t].made;
        }
    }
    left = (end - first) * row_bytes;
    held[tensor].first = (uint16_t)first;
    while (left > 0) { /* in pieces that do not overlap what they are copied to */
        const uint32_t bytes = left < apart ? left : apart;
        memcpy(buffer, buffer + apart, (size_t)bytes);
        buffer += bytes;
        left -= bytes;
    }
}

/* Room for the next rows of the first tensor; 0: all have come. */
static int feed(const ek_rows *group, ek_rows_held *held, int8_t *arena, ek_rows_call *call)
{
    const uint32_t row = held[0].made, left = (uint32_t)group->tensors[0].height - row;
    const uint32_t rows = left < group->feed ? left : group->feed;
    if (rows == 0) {
        return 0;
    }
    if (row + rows - held[0].first > group->tensors[0].room) {
        move(group, held, arena, 0);
    }
    call->out = (row - held[0].first) * group->tensors[0].row_bytes;
    call->layer = group->count;
    call->row = (uint16_t)row;
    call->rows = (uint16_t)rows;
    held[0].made = (uint16_t)(row + rows);
    return 1;
}

int ek_rows_next(const ek_rows *group, ek_rows_held *held, int8_t *arena, ek_rows_call *call)
{
    /* Only layers that read what the last call made can run that could not before. */
    for (uint32_t k = group->layers[call->ran].last_reader + 1u; k-- > 0;) {
        const ek_rows_layer *const layer = group->layers + k;
        const ek_rows_tensor *const out = group->tensors + k + 1, *const buffer = group->tensors + out->buffer;
        const ek_rows_held *const at = held + out->buffer;
        const uint32_t row = held[k + 1].made, left = (uint32_t)out->height - row;
        const uint32_t rows = left < layer->rows ? left : layer->rows, top = row * layer->stride;
        const uint32_t in_h = group->tensors[layer->in[0]].height;
        uint32_t begin, end;
        if (rows == 0) {
            continue;
        }
        end = (row + rows - 1) * layer->stride + layer->span - layer->pad;
        end = end < in_h ? end : in_h;
        if (held[layer->in[0]].made < end || held[layer->in[1]].made < end) {
            continue;
        }
        begin = top > layer->pad ? top - layer->pad : 0;
        if (row + rows - at->first > buffer->room) {
            move(group, held, arena, out->buffer);
        }
        call->out = (row - at->first) * buffer->row_bytes;
        for (uint32_t i = 0; i < 2; i++) {
            const uint32_t from = group->tensors[layer->in[i]].buffer;
            call->in[i] = (begin - held[from].first) * group->tensors[from].row_bytes;
        }
        call->layer = (uint16_t)k;
        call->in_rows = (uint16_t)(end - begin);
        call->row = (uint16_t)row;
        call->rows = (uint16_t)rows;
        call->pad_top = (uint16_t)(top < layer->pad ? layer->pad - top : 0);
        held[k + 1].made = (uint16_t)(row + rows);
        return 1;
    }
    return feed(group, held, arena, call);
}
