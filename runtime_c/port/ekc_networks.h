/* SPDX-License-Identifier: Apache-2.0 */
/* The table of networks that ekc_networks.c runs. */
#ifndef EKC_NETWORKS_H
#define EKC_NETWORKS_H

#include <stdint.h>

#include "ekc_status.h"

typedef struct {
    uint32_t layer; /* that may read and write these bytes */
    uint32_t space; /* 0: arena, 1: inputs, 2: outputs */
    uint32_t offset, bytes;
} ekr_region;

typedef struct {
    const char *name;
    ekc_status (*run)(void *arena, const void *input, void *output);
    void (*begin)(void); /* a sequence; NULL: there is no state */
    uint32_t arena_bytes, input_bytes, output_bytes;
    const ekr_region *region;
    uint32_t regions;
} ekr_network;

extern const ekr_network ekr_networks[];
extern const uint32_t ekr_network_count;

#endif
