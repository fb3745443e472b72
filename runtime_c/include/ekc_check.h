/* SPDX-License-Identifier: Apache-2.0 */
/* How a network that was generated with --check says that its constants are damaged. */
#ifndef EKC_CHECK_H
#define EKC_CHECK_H

#include "ekc_status.h"

#include <stdint.h>

/* Constants in flash are not those that were compiled. */
#define EKC_ERROR_DAMAGED ((ekc_status)3)

/* How far NAME_check_step has come. All zero: at the beginning. */
typedef struct {
    uint32_t place;  /* bytes that this pass has checked */
    uint32_t crc;    /* of those of the section that `place` is in */
    uint32_t passes; /* whole ones, without damage */
} ekc_check;

#endif
