/* SPDX-License-Identifier: Apache-2.0 */
/* Layer-by-layer observation: with EKC_TRACE defined, generated networks call ekc_trace after each layer. */
#ifndef EKC_TRACE_H
#define EKC_TRACE_H

#include <stdint.h>

#ifdef EKC_TRACE
/*
 * Defined by whoever links the generated code: the test harness appends the record
 * {uint32 layer, uint32 bytes, data} to trace.bin. `data` is the layer's output, valid only during the call.
 */
void ekc_trace(uint32_t layer, const void *data, uint32_t bytes);
#else
#define ekc_trace(layer, data, bytes) ((void)0)
#endif

#endif
