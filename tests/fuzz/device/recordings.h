/* SPDX-License-Identifier: Apache-2.0 */
/* Recordings of any bytes for a front end. */
#ifndef RECORDINGS_H
#define RECORDINGS_H

#include <stddef.h>
#include <stdint.h>

#define RECORDINGS_LONGEST 320u /* samples of a step */

/* Hands each recording of the data to a front end, step by step, and holds the reader to what it was asked for. */
void recordings(const uint8_t *data, size_t bytes, uint32_t step, void (*reset)(void), void (*take)(const int16_t *));

#endif
