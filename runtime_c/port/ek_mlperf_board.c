/* SPDX-License-Identifier: Apache-2.0 */
/* The submitter's side of MLPerf Tiny's firmware interface that knows the board: its serial line, its clock, main.
 * C99, and C++ where the benchmark's own side is C++. */
#include "ek_mlperf.h"

#ifdef __cplusplus
extern "C" {
#endif
#include "ek_console.h"
#ifdef __cplusplus
}
#endif

#include <string.h>

/* ---- the line ---- */

static char pending[64]; /* of the text that goes out */
static uint32_t pending_bytes;

static void flush(void)
{
    ek_link_put((const uint8_t *)pending, pending_bytes);
    pending_bytes = 0;
}

static void put(char c)
{
    pending[pending_bytes++] = c;
    if (pending_bytes == sizeof pending) {
        flush();
    }
}

static void put_text(const char *text)
{
    while (*text != '\0') {
        put(*text++);
    }
}

static void put_number(uint64_t value, uint32_t base, uint32_t width, char fill)
{
    char digits[20];
    uint32_t n = 0;
    do {
        const uint32_t low = (uint32_t)(value % base);
        digits[n++] = (char)(low < 10u ? '0' + (char)low : 'a' + (char)(low - 10u));
        value /= base;
    } while (value != 0);
    for (uint32_t i = n; i < width; i++) {
        put(fill);
    }
    while (n > 0) {
        put(digits[--n]);
    }
}

static void put_signed(int64_t value, uint32_t width, char fill)
{
    if (value < 0) {
        put('-');
    }
    put_number(value < 0 ? (uint64_t)0 - (uint64_t)value : (uint64_t)value, 10, width, fill);
}

/* With three digits behind the point, rounded to even as printf rounds. A float times 1000 is exact in a double. */
static void put_thousandths(double value)
{
    if (!(value == value)) {
        put_text("nan");
        return;
    }
    if (value < 0) {
        put('-');
        value = -value;
    }
    if (value > 1e15) {
        put_text("inf");
        return;
    }
    const double exact = value * 1000.0;
    uint64_t whole = (uint64_t)exact;
    const double rest = exact - (double)whole;
    whole += rest > 0.5 || (rest == 0.5 && whole % 2u != 0) ? 1u : 0u;
    put_number(whole / 1000u, 10, 0, '0');
    put('.');
    put_number(whole % 1000u, 10, 3, '0');
}

/* %s %c %d %i %u %x with a width, l and z before the letter; %f always has three digits behind the point. */
int th_vprintf(const char *format, va_list ap)
{
    for (const char *at = format; *at != '\0'; at++) {
        if (*at != '%') {
            put(*at);
            continue;
        }
        const char fill = at[1] == '0' ? '0' : ' ';
        uint32_t width = 0, is_long = 0;
        for (at++; *at >= '0' && *at <= '9'; at++) {
            width = width * 10u + (uint32_t)(*at - '0');
        }
        while (*at == '.' || (*at >= '0' && *at <= '9')) {
            at++;
        }
        while (*at == 'l' || *at == 'z') {
            is_long = 1;
            at++;
        }
        if (*at == 's') {
            put_text(va_arg(ap, const char *));
        } else if (*at == 'c') {
            put((char)va_arg(ap, int));
        } else if (*at == 'd' || *at == 'i') {
            put_signed(is_long ? va_arg(ap, long) : va_arg(ap, int), width, fill);
        } else if (*at == 'u' || *at == 'x') {
            put_number(is_long ? va_arg(ap, unsigned long) : va_arg(ap, unsigned), *at == 'x' ? 16u : 10u, width, fill);
        } else if (*at == 'f') {
            put_thousandths(va_arg(ap, double));
        } else if (*at == '\0') {
            break;
        } else {
            put(*at);
        }
    }
    flush();
    return 0;
}

void th_printf(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    (void)th_vprintf(format, ap);
    va_end(ap);
}

char th_getchar(void)
{
    static uint8_t got[64];
    static uint32_t at, count;
    if (at == count) {
        at = 0;
        count = ek_link_get(got, sizeof got);
        if (count == 0) {
            ek_port_exit(1); /* the line has ended */
        }
    }
    return (char)got[at++];
}

void th_serialport_initialize(void)
{
    ek_link_init();
}

/* ---- the clock ---- */

static uint64_t ticks;
static uint32_t last_tick;

void ek_mlperf_tick(void)
{
    const uint32_t now = ek_port_now();
    ticks += now - last_tick;
    last_tick = now;
}

void th_timestamp(void)
{
    unsigned long us = 0;
    ek_mlperf_tick();
    if (ek_mlperf_clock_hz != 0) {
        const uint64_t seconds = ticks / ek_mlperf_clock_hz, rest = ticks % ek_mlperf_clock_hz;
        us = (unsigned long)(seconds * 1000000u + rest * 1000000u / ek_mlperf_clock_hz);
    }
    th_printf(EE_MSG_TIMESTAMP, us);
}

void th_timestamp_initialize(void)
{
    last_tick = ek_port_now();
    th_printf(EE_MSG_TIMESTAMP_MODE);
    th_timestamp();
}

/* ---- libc ---- */

int th_strncmp(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (a[i] != b[i] || a[i] == '\0') {
            return (unsigned char)a[i] - (unsigned char)b[i];
        }
    }
    return 0;
}

char *th_strncpy(char *to, const char *from, size_t n)
{
    size_t i = 0;
    for (; i < n && from[i] != '\0'; i++) {
        to[i] = from[i];
    }
    memset(to + i, 0, n - i);
    return to;
}

size_t th_strnlen(const char *text, size_t most)
{
    size_t n = 0;
    while (n < most && text[n] != '\0') {
        n++;
    }
    return n;
}

char *th_strcat(char *to, const char *from)
{
    char *end = to;
    while (*end != '\0') {
        end++;
    }
    do {
        *end++ = *from;
    } while (*from++ != '\0');
    return to;
}

static int is_one_of(char c, const char *set)
{
    while (*set != '\0' && *set != c) {
        set++;
    }
    return *set != '\0';
}

char *th_strtok(char *text, const char *separators)
{
    static char *rest;
    char *first = text != NULL ? text : rest;
    if (first == NULL) {
        return NULL;
    }
    while (*first != '\0' && is_one_of(*first, separators)) {
        first++;
    }
    char *end = first;
    while (*end != '\0' && !is_one_of(*end, separators)) {
        end++;
    }
    rest = *end == '\0' ? end : end + 1;
    *end = '\0';
    return *first == '\0' ? NULL : first;
}

int th_atoi(const char *text)
{
    const int negative = *text == '-';
    int value = 0;
    for (text += negative || *text == '+'; *text >= '0' && *text <= '9' && value < 100000000; text++) {
        value = value * 10 + (*text - '0');
    }
    return negative ? -value : value;
}

void *th_memset(void *to, int value, size_t n)
{
    return memset(to, value, n);
}

void *th_memcpy(void *to, const void *from, size_t n)
{
    return memcpy(to, from, n);
}

#ifdef EK_CONSOLE_FILES
/* The fault handler writes to a file; here its text goes out as an error. */
#ifdef __cplusplus
extern "C" {
#endif
int ek_port_open(const char *path, ek_port_mode mode)
{
    (void)path;
    (void)mode;
    put_text("\r\ne-[The program stopped: ");
    return 0;
}

int ek_port_write(int file, const void *from, uint32_t bytes)
{
    (void)file;
    for (uint32_t i = 0; i < bytes; i++) {
        const char c = ((const char *)from)[i];
        put(c == '\n' || c == '\r' ? ' ' : c);
    }
    return 0;
}

void ek_port_close(int file)
{
    (void)file;
    put_text("]\r\nm-ready\r\n");
    flush();
}

EK_NORETURN void ek_port_exit(int ok)
{
    (void)ok;
    for (;;) {
    }
}
#ifdef __cplusplus
}
#endif
#endif

int main(void)
{
    ek_port_init();
    ee_benchmark_initialize();
    for (;;) {
        ee_serial_callback(th_getchar());
    }
}
