/* SPDX-License-Identifier: Apache-2.0 */
/* A file of binary PGM and PPM images of 8 bits, one behind the other, as edgekc/apps/netpbm.py writes it. */
#ifndef EK_NETPBM_H
#define EK_NETPBM_H

#include "ek_boxes.h"

#define EK_NETPBM_TRUTHS 16u
#define EK_NETPBM_UNKNOWN 0xFFFFu

typedef struct {
    uint32_t width, height; /* pixels */
    uint32_t channels;      /* 1: grey; 3: red, green, blue */
    uint32_t index;         /* of the class by a comment `# class 7`; EK_NETPBM_UNKNOWN where nobody says */
    uint32_t count;         /* of truths */
    ek_box truths[EK_NETPBM_TRUTHS]; /* by comments `# box 7 12 20 44 60`: index, left, top, right, bottom */
} ek_netpbm;

/* Reads up to the pixels. 1: an image follows. 0: the file is at its end. -1: it is no such image. */
int ek_netpbm_next(int file, ek_netpbm *frame);

#endif
