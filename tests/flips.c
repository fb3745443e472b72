/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flips bits of a generated network's constants, in the process itself, and says what is noticed and what changes.
 * The build names the network's source (-DSOURCE, whose static tables are then in reach), and flips_objects.h lists the
 * constants as OBJECT(name, pointer, bytes, is a table) and defines RUN, CHECK, ARENA, INPUT, OUTPUT and STATE.
 *
 *     flips every                   every bit of every constant by itself, looked for by NAME_check
 *     flips random COUNT SEED BITS  so many bits at random places at a time
 *     flips tables COUNT SEED       a bit of a table that NAME_run reads at a time, which NAME_run is to refuse
 *     flips run COUNT SEED TABLES   a bit at a time, NAME_run without a check; TABLES 0: of the embedded model alone
 */
#include SOURCE

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "flips_objects.h"

typedef struct {
    const char *name;
    const void *data;
    uint32_t bytes;
    int table;
} object;

static const object objects[] = {
#define OBJECT(name, data, bytes, table) {name, data, bytes, table},
    OBJECTS
#undef OBJECT
};
#define COUNT (sizeof objects / sizeof objects[0])

static uint64_t random_state;

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void make_writable(const object *at)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = (uintptr_t)at->data & ~(page - 1);
    if (mprotect((void *)first, (uintptr_t)at->data + at->bytes - first, PROT_READ | PROT_WRITE) != 0) {
        perror("mprotect");
        exit(3);
    }
}

/* The byte that bit number `bit` of the constants is in; those of tables come last. */
static unsigned char *place_of(uint64_t bit)
{
    for (size_t i = 0; i < COUNT; i++) {
        if (bit < 8u * (uint64_t)objects[i].bytes) {
            return (unsigned char *)(uintptr_t)objects[i].data + bit / 8;
        }
        bit -= 8u * (uint64_t)objects[i].bytes;
    }
    exit(4);
}

static void flip(uint64_t bit)
{
    *place_of(bit) ^= (unsigned char)(1u << bit % 8);
}

static sigjmp_buf before;
static uint32_t layers_done;

/* Memory that is not the process's: the run ends there, and the next flip's begins. */
static void fault(int number)
{
    (void)number;
    siglongjmp(before, 1);
}

void ekc_trace(uint32_t layer, const void *data, uint32_t bytes)
{
    (void)data, (void)bytes;
    layers_done = layer + 1;
}

static _Alignas(16) int8_t arena[ARENA + 16];
static int8_t input[INPUT], right[OUTPUT], output[OUTPUT];
#if STATE
static int8_t state[STATE];
#endif

static int run(int8_t *to)
{
    memset(arena, 0x5a, sizeof arena);
#if STATE
    RESET(state);
    return RUN(arena, state, input, to);
#else
    return RUN(arena, input, to);
#endif
}

int main(int argc, char **argv)
{
    uint64_t all = 0, constants = 0, noticed = 0, changed = 0, flips = 0, faults = 0;

    for (size_t i = 0; i < COUNT; i++) {
        make_writable(&objects[i]);
        all += 8u * (uint64_t)objects[i].bytes;
        constants += objects[i].table ? 0 : 8u * (uint64_t)objects[i].bytes;
    }
    if (strcmp(argv[1], "tables") == 0) {
        random_state = strtoull(argv[3], NULL, 10);
        for (; flips < strtoull(argv[2], NULL, 10); flips++) {
            const uint64_t bit = constants + next_random() % (all - constants);
            flip(bit);
            noticed += run(output) == 3;
            flip(bit);
        }
        printf("{\"flips\": %llu, \"noticed\": %llu}\n", (unsigned long long)flips, (unsigned long long)noticed);
        return 0;
    }
    random_state = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
    if (strcmp(argv[1], "run") == 0) {
        const uint64_t count = strtoull(argv[2], NULL, 10), bits = atoi(argv[4]) ? all : constants;
        for (uint32_t i = 0; i < INPUT; i++) {
            input[i] = (int8_t)next_random();
        }
        signal(SIGSEGV, fault);
        signal(SIGBUS, fault);
        signal(SIGFPE, fault);
        if (run(right) != 0) {
            return 2;
        }
        for (; flips < count; flips++) {
            const uint64_t bit = next_random() % bits;
            flip(bit);
            layers_done = 0;
            if (sigsetjmp(before, 1) == 0) {
                noticed += run(output) != 0;
                changed += memcmp(output, right, OUTPUT) != 0;
            } else {
                faults++;
                fprintf(stderr, "fault in layer %u\n", (unsigned)layers_done);
            }
            flip(bit);
        }
        printf("{\"flips\": %llu, \"noticed\": %llu, \"changed\": %llu, \"faults\": %llu}\n",
               (unsigned long long)flips, (unsigned long long)noticed, (unsigned long long)changed,
               (unsigned long long)faults);
        return 0;
    }
#ifdef CHECK
    if (CHECK() != EKC_OK) {
        return 2;
    }
    if (strcmp(argv[1], "every") == 0) {
        for (; flips < all; flips++) {
            flip(flips);
            noticed += CHECK() == EKC_ERROR_DAMAGED;
            flip(flips);
        }
    } else {
        const uint64_t count = strtoull(argv[2], NULL, 10);
        const int bits = atoi(argv[4]);
        for (; flips < count; flips++) {
            uint64_t at[8];
            for (int i = 0; i < bits; i++) {
                at[i] = next_random() % all;
                for (int k = 0; k < i; k++) {
                    if (at[k] == at[i]) {
                        i--; /* the same bit twice is no damage */
                        break;
                    }
                }
            }
            for (int i = 0; i < bits; i++) {
                flip(at[i]);
            }
            noticed += CHECK() == EKC_ERROR_DAMAGED;
            for (int i = 0; i < bits; i++) {
                flip(at[i]);
            }
        }
    }
    if (CHECK() != EKC_OK) {
        return 2;
    }
#endif
    printf("{\"flips\": %llu, \"noticed\": %llu, \"bits\": %llu}\n", (unsigned long long)flips,
           (unsigned long long)noticed, (unsigned long long)all);
    return 0;
}
