/* SPDX-License-Identifier: Apache-2.0 */
/* The harness's port on Linux: files by its calls. Cost is counted from outside, by the emulator. */
#include "ek_port.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

void ek_port_init(void)
{
}

int ek_port_open(const char *path, ek_port_mode mode)
{
    return open(path, mode == EK_PORT_READ ? O_RDONLY : O_WRONLY | O_CREAT | O_TRUNC, 0666);
}

uint32_t ek_port_read(int file, void *to, uint32_t bytes)
{
    uint32_t done = 0;
    while (done < bytes) {
        ssize_t got = read(file, (uint8_t *)to + done, bytes - done);
        if (got <= 0) {
            break;
        }
        done += (uint32_t)got;
    }
    return done;
}

int ek_port_write(int file, const void *from, uint32_t bytes)
{
    uint32_t done = 0;
    while (done < bytes) {
        ssize_t put = write(file, (const uint8_t *)from + done, bytes - done);
        if (put <= 0) {
            return -1;
        }
        done += (uint32_t)put;
    }
    return 0;
}

void ek_port_close(int file)
{
    (void)close(file);
}

/* The emulator's counting plugin looks for this symbol on Linux as on Cortex-M: run and what it
 * calls are all that executes between its entry and its return. */
__attribute__((noinline)) ekc_status ek_measured_call(ek_port_run run, void *arena, const void *input, void *output);
__attribute__((noinline)) ekc_status ek_measured_call(ek_port_run run, void *arena, const void *input, void *output)
{
    return run(arena, input, output);
}

ekc_status ek_port_call(ek_port_run run, void *arena, const void *input, void *output, ek_port_cost *cost)
{
    cost->ticks = 0;
    cost->stack_bytes = 0;
    cost->overflow = 0;
    return ek_measured_call(run, arena, input, output);
}

uint32_t ek_port_now(void)
{
    return 0;
}

uint32_t ek_port_start(void)
{
    return 0;
}

uint32_t ek_port_counter(void)
{
    return 0;
}

int ek_port_counts_instructions(void)
{
    return 0;
}

EK_NORETURN void ek_port_exit(int ok)
{
    exit(ok ? EXIT_SUCCESS : EXIT_FAILURE);
}
