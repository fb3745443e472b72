/* SPDX-License-Identifier: Apache-2.0 */
/* The firmware's interface of MLPerf Tiny: th_* is the submitter's side, ee_* the benchmark's.
 *
 * The names are those of benchmark/api in github.com/mlcommons/tiny, where the protocol is defined. ek_mlperf.c is our
 * own ee_* side. With EK_MLPERF_UPSTREAM the benchmark's headers are taken, whose ee_* side is C++: the th_* files
 * then compile as C++ too. */
#ifndef EK_MLPERF_H
#define EK_MLPERF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#ifdef EK_MLPERF_UPSTREAM
#include "api/internally_implemented.h"
#include "api/submitter_implemented.h"
#else

#define EE_MSG_TIMESTAMP "m-lap-us-%lu\r\n"
#define EE_MSG_TIMESTAMP_MODE "m-timestamp-mode-performance\r\n"
#define EE_CMD_SIZE 80u /* characters of a command, without the '%' that ends it */

/* ---- the submitter's side: the network's file, and ek_mlperf_board.c ---- */

void th_load_tensor(void);
void th_results(void);
void th_infer(void);
void th_timestamp(void);
void th_printf(const char *fmt, ...);
char th_getchar(void);

void th_serialport_initialize(void);
void th_timestamp_initialize(void);
void th_final_initialize(void);
void th_pre(void);
void th_post(void);
void th_command_ready(char volatile *msg);

int th_strncmp(const char *a, const char *b, size_t n);
char *th_strncpy(char *to, const char *from, size_t n);
size_t th_strnlen(const char *text, size_t most);
char *th_strcat(char *to, const char *from);
char *th_strtok(char *text, const char *separators);
int th_atoi(const char *text);
void *th_memset(void *to, int value, size_t n);
void *th_memcpy(void *to, const void *from, size_t n);
int th_vprintf(const char *format, va_list ap);

/* ---- the benchmark's side: ek_mlperf.c ---- */

void ee_benchmark_initialize(void);
/* Takes one character of a command; after its '%' calls th_command_ready with it. */
void ee_serial_callback(char c);
void ee_serial_command_parser_callback(char *command);
void ee_infer(size_t n, size_t warmups);
/* Copies at most `most` bytes that the `db` commands have loaded, and returns how many. */
size_t ee_get_buffer(uint8_t *to, size_t most);

#endif

/* ---- what the network's file tells the others ---- */

#ifdef __cplusplus
extern "C" {
#endif
extern const char ek_mlperf_model[];      /* ic01, kws01, vww01 or ad01 */
extern const uint32_t ek_mlperf_clock_hz; /* of what ek_port_now counts; 0: nothing counts */
extern uint8_t ek_mlperf_buffer[];        /* what `db` loads */
extern const uint32_t ek_mlperf_buffer_bytes;

/* Adds up ek_port_now, which has 32 bits. It must be called at least once in 2^32 ticks. */
void ek_mlperf_tick(void);
#ifdef __cplusplus
}
#endif

#endif
