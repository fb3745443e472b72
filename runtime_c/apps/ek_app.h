/* SPDX-License-Identifier: Apache-2.0 */
/* What the main programs of apps share: files with lines of text, and what calls cost. */
#ifndef EK_APP_H
#define EK_APP_H

#include "ek_port.h"

#include <stdint.h>

/* Opens a file; where it is not there, the program ends with an error. */
int ek_app_open(const char *path, ek_port_mode mode);

void ek_app_put(int file, const char *text);

/* In decimal. */
void ek_app_put_number(int file, uint32_t value);

/* The line `text value`. */
void ek_app_put_line(int file, const char *text, uint32_t value);

#endif
