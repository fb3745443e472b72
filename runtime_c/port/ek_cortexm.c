/* SPDX-License-Identifier: Apache-2.0 */
/* The harness's port on a bare Cortex-M: cost by SysTick and a painted stack. */
#include "ek_port.h"

#include "../include/ek_offsets.h"

#include <stddef.h>

#define SYST_CSR (*(volatile uint32_t *)0xE000E010u)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014u)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018u)
#define SYST_MAX 0x00FFFFFFu /* SysTick counts 24 bits down */
#define SYST_ENABLE_IRQ_CORE_CLOCK 7u

#define PAINT 0xA5A5A5A5u

extern uint32_t ek_stack_limit[]; /* linker script: lowest word that the stack may use */

static volatile uint32_t systick_wraps;

void ek_systick_handler(void);
void ek_systick_handler(void)
{
    systick_wraps++;
}

void ek_port_init(void)
{
    SYST_RVR = SYST_MAX;
    SYST_CVR = 0;
    SYST_CSR = SYST_ENABLE_IRQ_CORE_CLOCK;
}

/* Field order is known to the assembly below. */
typedef struct {
    ek_port_run run;
    void *arena;
    const void *input;
    void *output;
    uint32_t *limit;            /* painted from here up to the stack pointer of the call */
    uint32_t *stack;            /* out: the stack pointer of the call */
    uint32_t start, end;        /* out: *counter before and after */
    volatile uint32_t *counter;
} measured_call;
#define CALL_RUN 0
#define CALL_ARENA 4
#define CALL_INPUT 8
#define CALL_OUTPUT 12
#define CALL_LIMIT 16
#define CALL_STACK 20
#define CALL_START 24
#define CALL_END 28
#define CALL_COUNTER 32
EK_CHECK_OFFSET(measured_call, run, CALL_RUN);
EK_CHECK_OFFSET(measured_call, arena, CALL_ARENA);
EK_CHECK_OFFSET(measured_call, input, CALL_INPUT);
EK_CHECK_OFFSET(measured_call, output, CALL_OUTPUT);
EK_CHECK_OFFSET(measured_call, limit, CALL_LIMIT);
EK_CHECK_OFFSET(measured_call, stack, CALL_STACK);
EK_CHECK_OFFSET(measured_call, start, CALL_START);
EK_CHECK_OFFSET(measured_call, end, CALL_END);
EK_CHECK_OFFSET(measured_call, counter, CALL_COUNTER);

ekc_status ek_measured_call(measured_call *call);

/* In assembly so that nothing lies between the paint and the first push of run, and so that the
 * emulators can count from ek_call_begin (the blx) to ek_call_end. ARMv6-M instructions only. */
__asm__(".syntax unified\n"
        ".section .text.ek_measured_call,\"ax\",%progbits\n"
        ".balign 4\n"
        ".thumb\n"
        ".global ek_measured_call\n"
        ".type ek_measured_call, %function\n"
        ".thumb_func\n"
        "ek_measured_call:\n"
        "    push {r3-r7, lr}\n" /* r3 keeps the stack 8-byte aligned */
        "    mov r4, r0\n"
        "    mov r5, sp\n"
        "    str r5, [r4, #" EK_TEXT(CALL_STACK) "]\n"
        "    ldr r6, 3f\n"
        "    ldr r7, [r4, #" EK_TEXT(CALL_LIMIT) "]\n"
        "1:  cmp r7, r5\n"
        "    bhs 2f\n"
        "    stmia r7!, {r6}\n"
        "    b 1b\n"
        "2:  ldr r6, [r4, #" EK_TEXT(CALL_RUN) "]\n"
        "    ldr r0, [r4, #" EK_TEXT(CALL_ARENA) "]\n"
        "    ldr r1, [r4, #" EK_TEXT(CALL_INPUT) "]\n"
        "    ldr r2, [r4, #" EK_TEXT(CALL_OUTPUT) "]\n"
        "    ldr r5, [r4, #" EK_TEXT(CALL_COUNTER) "]\n"
        "    ldr r7, [r5]\n"
        "    str r7, [r4, #" EK_TEXT(CALL_START) "]\n"
        ".global ek_call_begin\n"
        "ek_call_begin:\n"
        "    blx r6\n"
        ".global ek_call_end\n"
        "ek_call_end:\n"
        "    ldr r7, [r5]\n"
        "    str r7, [r4, #" EK_TEXT(CALL_END) "]\n"
        "    pop {r3-r7, pc}\n"
        ".balign 4\n"
        "3:  .word 0xA5A5A5A5\n" /* PAINT */
        ".size ek_measured_call, . - ek_measured_call\n"
        ".text\n");

/* The debug unit's cycle counter, which ARMv6-M does not have and some others leave out. */
#define DEMCR (*(volatile uint32_t *)0xE000EDFCu)
#define DEMCR_TRCENA (1u << 24)
#define DWT_CTRL (*(volatile uint32_t *)0xE0001000u)
#define DWT_CYCCNT (*(volatile uint32_t *)0xE0001004u)
#define DWT_CYCCNTENA 1u
#define COUNTER_SYSTICK 1u
#define COUNTER_DWT 2u

uint32_t ek_port_counter(void)
{
#if defined(__ARM_ARCH_6M__)
    return COUNTER_SYSTICK;
#else
    static uint32_t found; /* 0: not looked yet */
    if (found == 0) {
        DEMCR |= DEMCR_TRCENA;
        DWT_CTRL |= DWT_CYCCNTENA;
        uint32_t before = DWT_CYCCNT;
        for (volatile uint32_t i = 0; i < 16u; i++) {
        }
        found = DWT_CYCCNT != before ? COUNTER_DWT : COUNTER_SYSTICK;
    }
    return found;
#endif
}

static uint32_t systick_now(uint32_t wraps, uint32_t down)
{
    return (wraps << 24) + (down == 0 ? 0u : SYST_MAX + 1u - down);
}

uint32_t ek_port_now(void)
{
    if (ek_port_counter() == COUNTER_DWT) {
        return DWT_CYCCNT;
    }
    for (;;) {
        uint32_t wraps = systick_wraps, down = SYST_CVR;
        if (wraps == systick_wraps) {
            return systick_now(wraps, down);
        }
    }
}

#ifdef EK_CONSOLE_FILES
static const measured_call *running; /* NULL between calls */

uint32_t ek_port_start(void)
{
    if (running == NULL) {
        return ek_port_now();
    }
    return running->counter == &SYST_CVR ? systick_now(0, running->start) : running->start;
}
#endif

#ifdef EK_CONSOLE_FILES
/* On every Cortex-M a load whose address is the value of the load before takes two cycles or more. Where 640
 * instructions, 512 of them such loads, take hardly more than 640 ticks, a tick is an instruction. */
int ek_port_counts_instructions(void)
{
    static int known; /* 0: not looked yet; else the answer plus 1 */
    if (known == 0) {
        void *own_address = &own_address, *at = &own_address;
        uint32_t left = 64;
        uint32_t before = ek_port_now();
        __asm__ volatile(".syntax unified\n"
                         "1:\n"
                         "    ldr %0, [%0]\n    ldr %0, [%0]\n    ldr %0, [%0]\n    ldr %0, [%0]\n"
                         "    ldr %0, [%0]\n    ldr %0, [%0]\n    ldr %0, [%0]\n    ldr %0, [%0]\n"
                         "    subs %1, #1\n"
                         "    bne 1b\n"
                         : "+l"(at), "+l"(left)
                         :
                         : "cc", "memory");
        known = ek_port_now() - before < 704u ? 2 : 1;
    }
    return known - 1;
}
#endif

ekc_status ek_port_call(ek_port_run run, void *arena, const void *input, void *output, ek_port_cost *cost)
{
    measured_call call = {run, arena, input, output, ek_stack_limit, NULL, 0, 0, &SYST_CVR};
#ifdef EK_CONSOLE_FILES
    /* A real board; what an emulator's SysTick counts is known, and its debug unit is often not there. */
    if (ek_port_counter() == COUNTER_DWT) {
        call.counter = &DWT_CYCCNT;
    }
    running = &call;
#endif
    SYST_CVR = 0; /* any write clears it, and the next tick reloads it */
    systick_wraps = 0;
    ekc_status status = ek_measured_call(&call);
    uint32_t wraps = systick_wraps;
#ifdef EK_CONSOLE_FILES
    running = NULL;
#endif
    if (call.counter == &SYST_CVR) {
        cost->ticks = ((uint64_t)wraps << 24) + call.start - call.end;
        if (call.start == 0) {
            /* Read before the reload, from which 0 counts like one past the top. */
            cost->ticks += (uint64_t)SYST_MAX + 1u;
        }
    } else {
        /* 32 bits of it: what is nearest to the full turns of SysTick. */
        uint64_t near = (uint64_t)wraps << 24;
        cost->ticks = near + (uint64_t)(int64_t)(int32_t)(call.end - call.start - (uint32_t)near);
    }
    const uint32_t *lowest = ek_stack_limit;
    while (lowest < call.stack && *lowest == PAINT) {
        lowest++;
    }
    cost->stack_bytes = (uint32_t)((uintptr_t)call.stack - (uintptr_t)lowest);
    cost->overflow = lowest == ek_stack_limit;
    return status;
}
