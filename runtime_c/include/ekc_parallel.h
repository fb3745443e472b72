/* SPDX-License-Identifier: Apache-2.0 */
/* How a generated network hands parts of a layer to threads that the caller has. */
#ifndef EKC_PARALLEL_H
#define EKC_PARALLEL_H

#include <stdint.h>

/* One part of a layer. Parts of a layer write different memory, and read none that another of them writes. */
typedef void ekc_part(void *context, int part);

/*
 * The caller's: runs part(context, 0) to part(context, parts - 1), each once, in any order, on any threads, and returns
 * when all have returned. What they wrote must then be visible to whoever calls this next. `pool` is the caller's own.
 */
typedef void ekc_parallel(void *pool, int parts, ekc_part *part, void *context);

/* For generated code: which rows a part computes, and where, in bytes from the beginnings of the tensors. */
typedef struct {
    uint32_t in[2], out;
    uint16_t in_rows, rows; /* of input and output */
    uint16_t pad_top;       /* rows of padding above those of the input */
} ek_part_rows;

#endif
