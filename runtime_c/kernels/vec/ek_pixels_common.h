/* SPDX-License-Identifier: Apache-2.0 */
/* How pixels lie in all forms of template arithmetic by vectors. */
#ifndef EK_PIXELS_COMMON_H
#define EK_PIXELS_COMMON_H

#include "ek_vec.h"

/* Pixels of a vector of vectors; channels that are transposed at a time; values from one tap of a channel to the next. */
enum { EK_PIXELS = 32, EK_PIXELS_CHANNELS = 8, EK_PIXELS_STEP = EK_PIXELS * EK_PIXELS_CHANNELS };

#endif
