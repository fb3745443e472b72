/* SPDX-License-Identifier: Apache-2.0 */
/* What the harness needs from the machine it runs on: files, an exit, and a measured call.
 * Implemented by ek_cortexm.c and ek_riscv.c with ek_semihost_files.c (bare metal), and by ek_linux.c. */
#ifndef EK_PORT_H
#define EK_PORT_H

#include "ekc_status.h"

#include <stdint.h>

#define EK_NORETURN __attribute__((noreturn))

typedef enum { EK_PORT_READ, EK_PORT_WRITE } ek_port_mode;

/* NAME_run of the generated code. */
typedef ekc_status (*ek_port_run)(void *arena, const void *input, void *output);

typedef struct {
    uint64_t ticks;       /* of SysTick (core clock) or mcycle, spent in the call; 0 where nothing counts */
    uint32_t stack_bytes; /* stack used by the call, from its first push; 0 where it is not measured */
    int overflow;         /* not 0: the call used all of the stack, so data below it may be damaged */
} ek_port_cost;

/* Once, before all else. */
void ek_port_init(void);

/* A handle, or a negative number. EK_PORT_WRITE truncates. */
int ek_port_open(const char *path, ek_port_mode mode);

/* Bytes read: fewer than asked for only at the end of the file. */
uint32_t ek_port_read(int file, void *to, uint32_t bytes);

/* 0 when all bytes were written. */
int ek_port_write(int file, const void *from, uint32_t bytes);

void ek_port_close(int file);

/* Calls run(arena, input, output), returns what it returned, and says what the call cost. */
ekc_status ek_port_call(ek_port_run run, void *arena, const void *input, void *output, ek_port_cost *cost);

/* For the console, within a call of ek_port_call: cycles modulo 2^32, those of them when `run` was entered, and
 * what counts them: 0 nothing, 1 SysTick, 2 DWT, 3 mcycle. */
uint32_t ek_port_now(void);
uint32_t ek_port_start(void);
uint32_t ek_port_counter(void);

/* Not 0 on a simulator whose every instruction takes one tick: what it counts are instructions, not cycles. */
int ek_port_counts_instructions(void);

/* Ends the program; the emulator's exit status is 0 exactly when ok is not 0. */
EK_NORETURN void ek_port_exit(int ok);

#endif
