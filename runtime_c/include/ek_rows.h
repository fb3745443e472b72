/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers that run by rows: each makes a few rows of its output as soon as its inputs have the rows for them, so that
 * the tensors between them are never whole. A call of a layer is a call of its kernel on a smaller image.
 *
 * The compiler has run the same schedule (edgekc/generate/rows.py): it knows how many rows each buffer must hold.
 */
#ifndef EK_ROWS_H
#define EK_ROWS_H

#include <stdint.h>

/* Images NHWC of which a buffer holds some rows, one behind the other. */
typedef struct {
    uint32_t place;     /* bytes into the arena */
    uint32_t row_bytes;
    uint16_t height;    /* rows of the whole tensor */
    uint16_t room;      /* rows that the buffer has; all: none is ever moved */
    uint16_t buffer;    /* the tensor in whose buffer it lies: itself, or one whose rows are written over its own */
} ek_rows_tensor;

/* Row y of a layer's output needs `span` rows of its inputs, from y * stride - pad on. Layer k makes tensor k + 1. */
typedef struct {
    uint16_t in[2];     /* tensors; of a layer with one input, twice the same */
    uint16_t span, stride, pad;
    uint16_t rows;      /* of output in a call, the last may have fewer */
    uint16_t last_reader; /* layer */
} ek_rows_layer;

typedef struct {
    const ek_rows_layer *layers;
    const ek_rows_tensor *tensors; /* layers + 1: the first is what the group reads, and whole */
    uint16_t count;     /* layers */
    uint16_t feed;      /* rows of the first tensor that come at a time; 0: it is whole */
} ek_rows;

/* Rows first .. made - 1 of a tensor are in its buffer, `first` at its beginning. */
typedef struct {
    uint16_t first, made;
} ek_rows_held;

/* What one call computes, and where, in bytes from the beginnings of the buffers. */
typedef struct {
    uint32_t in[2], out;
    uint16_t layer;     /* as many as there are: not a layer, but rows of the first tensor that are to come */
    uint16_t row;       /* of the output, the first */
    uint16_t in_rows, rows; /* of input and output */
    uint16_t pad_top;   /* rows of padding above those of the input */
    uint16_t ran;       /* by the caller: the layer that ran, so that its code ends like that of no other layer */
} ek_rows_call;

/* `held` has an entry for each tensor. */
void ek_rows_begin(const ek_rows *group, ek_rows_held *held, ek_rows_call *call);

/* The next call, for whose output there is room when this returns; 0: there is none. */
int ek_rows_next(const ek_rows *group, ek_rows_held *held, int8_t *arena, ek_rows_call *call);

#endif
