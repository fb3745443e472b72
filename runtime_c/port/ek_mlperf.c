/* SPDX-License-Identifier: Apache-2.0 */
/* The benchmark's side of MLPerf Tiny's firmware interface: commands over a serial line, and their answers.
 *
 * Written from the protocol of github.com/mlcommons/tiny, benchmark/api and benchmark/runner. A command ends with '%'.
 * Each one is answered by lines m-... or e-[...], the last of which is m-ready. */
#include "ek_mlperf.h"
#include "ek_port.h"

#include <string.h>

static char command[EE_CMD_SIZE + 1u];
static size_t length; /* of the command that comes in; EE_CMD_SIZE + 1: it is too long */
static size_t wanted, loaded; /* bytes of the sample */
static int ready;

void ee_serial_callback(char c)
{
    if (c == '%') {
        const int whole = length <= EE_CMD_SIZE;
        command[whole ? length : 0u] = '\0';
        length = 0;
        if (whole) {
            th_command_ready(command);
        } else if (ready) {
            th_printf("e-[Command is longer than %u characters]\r\n", (unsigned)EE_CMD_SIZE);
            th_printf("m-ready\r\n");
        }
    } else if (length < EE_CMD_SIZE) {
        if (c != '\r' && c != '\n') {
            command[length++] = c;
        }
    } else {
        length = EE_CMD_SIZE + 1u;
    }
}

/* The next word of *at, which is cut off behind it; NULL: there is none. */
static char *word(char **at)
{
    char *first = *at;
    while (*first == ' ') {
        first++;
    }
    char *end = first;
    while (*end != '\0' && *end != ' ') {
        end++;
    }
    *at = *end == '\0' ? end : end + 1;
    *end = '\0';
    return *first == '\0' ? NULL : first;
}

static int is(const char *a, const char *b)
{
    return th_strncmp(a, b, EE_CMD_SIZE + 1u) == 0;
}

/* A number of digits only, below 10^9; 0: it is none. */
static int number(const char *text, size_t *value)
{
    size_t n = 0;
    for (*value = 0; text[n] >= '0' && text[n] <= '9' && n < 9u; n++) {
        *value = *value * 10u + (size_t)(text[n] - '0');
    }
    return n > 0 && text[n] == '\0';
}

static int digit(char c)
{
    const char low = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
    return low >= '0' && low <= '9' ? low - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

static void load(const char *count)
{
    size_t bytes;
    if (count == NULL) {
        th_printf("e-[Command 'db load' requires the # of bytes]\r\n");
    } else if (!number(count, &bytes) || bytes == 0) {
        th_printf("e-[Command 'db load' must be >0 bytes]\r\n");
    } else if (bytes > ek_mlperf_buffer_bytes) {
        th_printf("e-[Supplied buffer size %lu exceeds maximum of %lu]\r\n", (unsigned long)bytes,
            (unsigned long)ek_mlperf_buffer_bytes);
    } else {
        wanted = bytes;
        loaded = 0;
        th_printf("m-[Expecting %lu bytes]\r\n", (unsigned long)bytes);
    }
}

static void print_buffer(void)
{
    for (size_t i = 0; i < loaded; i++) {
        th_printf(i % 8u == 0 ? "m-buffer-%02x" : "-%02x", ek_mlperf_buffer[i]);
        if (i % 8u == 7u || i + 1u == loaded) {
            th_printf("\r\n");
        }
    }
}

/* All of the bytes are looked at before one is taken: a line that was damaged can be sent again. */
static void take(const char *hex)
{
    const size_t digits = th_strnlen(hex, EE_CMD_SIZE);
    if (digits % 2u != 0) {
        th_printf("e-[Insufficient number of hex digits]\r\n");
        return;
    }
    for (size_t i = 0; i < digits; i++) {
        if (digit(hex[i]) < 0) {
            th_printf("e-[Invalid hex digit '%c']\r\n", hex[i]);
            return;
        }
    }
    if (loaded >= wanted) {
        th_printf("e-[No bytes are expected: 'db load' comes first]\r\n");
        return;
    }
    for (size_t i = 0; i < digits && loaded < wanted; i += 2u) {
        ek_mlperf_buffer[loaded++] = (uint8_t)(digit(hex[i]) * 16 + digit(hex[i + 1u]));
    }
    if (loaded == wanted) {
        th_printf("m-load-done\r\n");
    }
}

static void data(char *rest)
{
    const char *what = word(&rest);
    if (what == NULL) {
        th_printf("e-[Command 'db' requires a subcommand]\r\n");
    } else if (is(what, "load")) {
        load(word(&rest));
    } else if (is(what, "print")) {
        print_buffer();
    } else {
        take(what);
    }
}

static void infer(char *rest)
{
    size_t n = 1, warmups = 10;
    const char *first = word(&rest), *second = first == NULL ? NULL : word(&rest);
    if (first != NULL && (!number(first, &n) || n == 0)) {
        th_printf("e-[Inference iterations must be >0]\r\n");
    } else if (second != NULL && !number(second, &warmups)) {
        th_printf("e-[Inference warmup must be >=0]\r\n");
    } else if (wanted == 0 || loaded != wanted) {
        th_printf("e-[No sample is loaded]\r\n");
    } else {
        ee_infer(n, warmups);
    }
}

void ee_infer(size_t n, size_t warmups)
{
    th_load_tensor();
    th_printf("m-warmup-start-%lu\r\n", (unsigned long)warmups);
    for (size_t i = 0; i < warmups; i++) {
        th_infer();
    }
    th_printf("m-warmup-done\r\n");
    th_printf("m-infer-start-%lu\r\n", (unsigned long)n);
    th_timestamp();
    th_pre();
    for (size_t i = 0; i < n; i++) {
        th_infer();
    }
    th_post();
    th_timestamp();
    th_printf("m-infer-done\r\n");
    th_results();
}

static void help(void)
{
    th_printf("name             : Print the name of the device\r\n");
    th_printf("profile          : Print the firmware and the model\r\n");
    th_printf("timestamp        : Print the time\r\n");
    th_printf("db load N        : Expect a sample of N bytes\r\n");
    th_printf("db HH[HH]*       : Load bytes, in hex\r\n");
    th_printf("db print         : Print the bytes that were loaded\r\n");
    th_printf("infer [N=1 [W=10]]: Run N inferences of the sample, after W others\r\n");
    th_printf("results          : Print the last inference's results\r\n");
}

void ee_serial_command_parser_callback(char *line)
{
    if (!ready) {
        return;
    }
    char *rest = line;
    const char *what = word(&rest);
    if (what == NULL) {
        th_printf("e-[Empty command]\r\n");
    } else if (is(what, "name")) {
        th_printf("m-name-dut-[edgekc]\r\n");
    } else if (is(what, "profile")) {
        th_printf("m-profile-[edgekc's own side of the MLPerf Tiny protocol]\r\n");
        th_printf("m-model-[%s]\r\n", ek_mlperf_model);
        /* Not in the protocol: what timestamps are made of, as ek_port.h numbers it. */
        th_printf("m-counter-[%lu,%d]\r\n", (unsigned long)ek_port_counter(), ek_port_counts_instructions());
    } else if (is(what, "timestamp")) {
        th_timestamp();
    } else if (is(what, "help")) {
        help();
    } else if (is(what, "db")) {
        data(rest);
    } else if (is(what, "infer")) {
        infer(rest);
    } else if (is(what, "results")) {
        th_results();
    } else {
        th_printf("e-[Unknown command: %s]\r\n", what);
    }
    th_printf("m-ready\r\n");
}

void ee_benchmark_initialize(void)
{
    th_serialport_initialize();
    th_timestamp_initialize();
    th_final_initialize();
    th_printf("m-init-done\r\n");
    ready = 1;
    th_printf("m-ready\r\n");
}

size_t ee_get_buffer(uint8_t *to, size_t most)
{
    const size_t bytes = most < loaded ? most : loaded;
    if (to != NULL) {
        memcpy(to, ek_mlperf_buffer, bytes);
    }
    return bytes;
}
