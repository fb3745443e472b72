/* SPDX-License-Identifier: Apache-2.0 */
/* The harness's port on a bare 32-bit RISC-V core: cost by mcycle and a painted stack. */
#include "ek_port.h"

#include "../include/ek_offsets.h"
#include "ek_zicsr.h"

#include <stddef.h>

#define COUNTER_MCYCLE 3u
#define PAINT 0xA5A5A5A5u

extern uint32_t ek_stack_limit[]; /* linker script: lowest word that the stack may use */

#define READ_CSR(name, to) \
    __asm__ volatile(".option push\n" EK_ZICSR "csrr %0, " name "\n.option pop" : "=r"(to))
#define CLEAR_CSR(name) __asm__ volatile(".option push\n" EK_ZICSR "csrw " name ", zero\n.option pop" : :)

void ek_port_init(void)
{
    CLEAR_CSR("mcountinhibit"); /* where it is set after a reset, mcycle stands still */
}

/* Field order is known to the assembly below. */
typedef struct {
    ek_port_run run;
    void *arena;
    const void *input;
    void *output;
    uint32_t *limit;     /* painted from here up to the stack pointer of the call */
    uint32_t *stack;     /* out: the stack pointer of the call */
    uint32_t start, end; /* out: low word of mcycle before and after */
} measured_call;
#define CALL_RUN 0
#define CALL_ARENA 4
#define CALL_INPUT 8
#define CALL_OUTPUT 12
#define CALL_LIMIT 16
#define CALL_STACK 20
#define CALL_START 24
#define CALL_END 28
EK_CHECK_OFFSET(measured_call, run, CALL_RUN);
EK_CHECK_OFFSET(measured_call, arena, CALL_ARENA);
EK_CHECK_OFFSET(measured_call, input, CALL_INPUT);
EK_CHECK_OFFSET(measured_call, output, CALL_OUTPUT);
EK_CHECK_OFFSET(measured_call, limit, CALL_LIMIT);
EK_CHECK_OFFSET(measured_call, stack, CALL_STACK);
EK_CHECK_OFFSET(measured_call, start, CALL_START);
EK_CHECK_OFFSET(measured_call, end, CALL_END);

ekc_status ek_measured_call(measured_call *call);

/* In assembly so that nothing lies between the paint and the first store of run, and so that the
 * emulators can count from ek_call_begin (the jalr) to ek_call_end. */
__asm__(".section .text.ek_measured_call,\"ax\",%progbits\n"
        ".option push\n"
        EK_ZICSR
        ".balign 4\n"
        ".global ek_measured_call\n"
        ".type ek_measured_call, %function\n"
        "ek_measured_call:\n"
        "    addi sp, sp, -16\n"
        "    sw ra, 12(sp)\n"
        "    sw s0, 8(sp)\n"
        "    mv s0, a0\n"
        "    sw sp, " EK_TEXT(CALL_STACK) "(s0)\n"
        "    lw t0, " EK_TEXT(CALL_LIMIT) "(s0)\n"
        "    li t1, 0xA5A5A5A5\n" /* PAINT */
        "1:  bgeu t0, sp, 2f\n"
        "    sw t1, 0(t0)\n"
        "    addi t0, t0, 4\n"
        "    j 1b\n"
        "2:  lw t2, " EK_TEXT(CALL_RUN) "(s0)\n"
        "    lw a0, " EK_TEXT(CALL_ARENA) "(s0)\n"
        "    lw a1, " EK_TEXT(CALL_INPUT) "(s0)\n"
        "    lw a2, " EK_TEXT(CALL_OUTPUT) "(s0)\n"
        "    csrr t0, mcycle\n"
        "    sw t0, " EK_TEXT(CALL_START) "(s0)\n"
        ".global ek_call_begin\n"
        "ek_call_begin:\n"
        "    jalr t2\n"
        ".global ek_call_end\n"
        "ek_call_end:\n"
        "    csrr t0, mcycle\n"
        "    sw t0, " EK_TEXT(CALL_END) "(s0)\n"
        "    lw s0, 8(sp)\n"
        "    lw ra, 12(sp)\n"
        "    addi sp, sp, 16\n"
        "    ret\n"
        ".size ek_measured_call, . - ek_measured_call\n"
        ".option pop\n"
        ".text\n");

static uint64_t mcycle(void)
{
    uint32_t high, low, again;
    do {
        READ_CSR("mcycleh", high);
        READ_CSR("mcycle", low);
        READ_CSR("mcycleh", again);
    } while (high != again);
    return (uint64_t)high << 32 | low;
}

uint32_t ek_port_counter(void)
{
    return COUNTER_MCYCLE;
}

uint32_t ek_port_now(void)
{
    return (uint32_t)mcycle();
}

#ifdef EK_CONSOLE_FILES
static const measured_call *running; /* NULL between calls */

uint32_t ek_port_start(void)
{
    return running == NULL ? ek_port_now() : running->start;
}

/* A core takes two cycles or more for a load whose address is the value of the load before. Where 640 instructions,
 * 512 of them such loads, take hardly more than 640 cycles, a cycle is an instruction. */
int ek_port_counts_instructions(void)
{
    static int known; /* 0: not looked yet; else the answer plus 1 */
    if (known == 0) {
        void *own_address = &own_address, *at = &own_address;
        uint32_t left = 64;
        uint32_t before = ek_port_now();
        __asm__ volatile("1:\n"
                         "    lw %0, 0(%0)\n    lw %0, 0(%0)\n    lw %0, 0(%0)\n    lw %0, 0(%0)\n"
                         "    lw %0, 0(%0)\n    lw %0, 0(%0)\n    lw %0, 0(%0)\n    lw %0, 0(%0)\n"
                         "    addi %1, %1, -1\n"
                         "    bnez %1, 1b\n"
                         : "+r"(at), "+r"(left)
                         :
                         : "memory");
        known = ek_port_now() - before < 704u ? 2 : 1;
    }
    return known - 1;
}
#endif

ekc_status ek_port_call(ek_port_run run, void *arena, const void *input, void *output, ek_port_cost *cost)
{
    measured_call call = {run, arena, input, output, ek_stack_limit, NULL, 0, 0};
#ifdef EK_CONSOLE_FILES
    running = &call;
#endif
    const uint64_t before = mcycle();
    ekc_status status = ek_measured_call(&call);
    const uint64_t around = mcycle() - before; /* the paint is in it */
#ifdef EK_CONSOLE_FILES
    running = NULL;
#endif
    /* The exact count has 32 bits; those above are of `around`, which is larger by less than 2^32. */
    const uint32_t low = call.end - call.start;
    cost->ticks = around - (uint32_t)((uint32_t)around - low);
    const uint32_t *lowest = ek_stack_limit;
    while (lowest < call.stack && *lowest == PAINT) {
        lowest++;
    }
    cost->stack_bytes = (uint32_t)((uintptr_t)call.stack - (uintptr_t)lowest);
    cost->overflow = lowest == ek_stack_limit;
    return status;
}
