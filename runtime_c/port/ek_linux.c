/* SPDX-License-Identifier: Apache-2.0 */
/* The harness's port on Linux: files by stdio. Cost is counted from outside, by the emulator. */
#include "ek_port.h"

#include <stdio.h>
#include <stdlib.h>

#define FILES 8
static FILE *files[FILES];

void ek_port_init(void)
{
}

int ek_port_open(const char *path, ek_port_mode mode)
{
    for (int i = 0; i < FILES; i++) {
        if (files[i] == NULL) {
            files[i] = fopen(path, mode == EK_PORT_READ ? "rb" : "wb");
            return files[i] != NULL ? i : -1;
        }
    }
    return -1;
}

uint32_t ek_port_read(int file, void *to, uint32_t bytes)
{
    return (uint32_t)fread(to, 1, bytes, files[file]);
}

int ek_port_write(int file, const void *from, uint32_t bytes)
{
    return fwrite(from, 1, bytes, files[file]) == bytes ? 0 : -1;
}

void ek_port_close(int file)
{
    (void)fclose(files[file]);
    files[file] = NULL;
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
