/* SPDX-License-Identifier: Apache-2.0 */
/* A stand-in for Zephyr's. */
#include <stdio.h>

#define printk printf
