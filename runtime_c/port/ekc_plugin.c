/* SPDX-License-Identifier: Apache-2.0 */
/* QEMU TCG plugin: one emulated run of a firmware image -> exact counts for the network function.
 *
 * Counting starts at the first instruction of NAME_run and ends when its return address is reached.
 * Nothing in the guest is instrumented. A table of address ranges of NAME_run says which layer each of
 * its instructions belongs to; the "current layer" is that of the last instruction of NAME_run that
 * ran, and instructions of callees count for it.
 *
 * Argument: conf=FILE, lines of
 *   out FILE                          where the JSON goes, written at exit
 *   entry ADDR                        first instruction of NAME_run
 *   return ADDR                       instruction after a call of NAME_run; may repeat
 *   range LO HI SLOT                  code [LO, HI) of NAME_run, counted in SLOT; may repeat
 *   slots N                           number of slots, before the first range
 *   skip LO HI                        code of an interrupt handler: neither counted nor traced
 *   trace LIMIT                       also see each load and store, report at most LIMIT violations; and of
 *                                     each block, how often it ran and was left by a jump (ekc_blocks.h)
 *   region LO HI KIND                 [LO, HI) may be accessed; KIND is a sum of 1 read, 2 write, 4 stack
 *   autostack BELOW ABOVE             the first store outside all regions places the stack (user mode)
 *
 * "Executed" is as QEMU counts it: an instruction whose condition fails has run.
 */
#include "ekc_plugin_api.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

EXPORT int qemu_plugin_version = EKC_QEMU_API;
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv);

/* ---- state ---- */

enum { MAX_RANGES = 65536, MAX_REGIONS = 64, MAX_RETURNS = 64 };
enum { KIND_READ = 1, KIND_WRITE = 2, KIND_STACK = 4 };

struct range {
    uint64_t lo, hi;
    uint32_t slot;
};

struct region {
    uint64_t lo, hi;
    unsigned kind;
};

struct slot { /* sums over all inferences */
    uint64_t loads, stores, load_bytes, store_bytes;
    uint64_t stack_low; /* lowest stack address written; UINT64_MAX: none */
};

struct violation {
    uint32_t slot;
    uint64_t pc, address;
    unsigned bytes;
    bool store;
};

static char out_path[4096];
static uint64_t entry_pc = UINT64_MAX;
static uint64_t returns[MAX_RETURNS];
static size_t n_returns;
static struct range ranges[MAX_RANGES]; /* in ascending order of lo, as the driver writes them */
static size_t n_ranges;
static struct region regions[MAX_REGIONS];
static size_t n_regions;
static uint64_t stack_below, stack_above, skip_low, skip_high;
static bool tracing;

static struct slot *slots;
static size_t n_slots;
static uint64_t *counts; /* (inference, slot) */
static size_t n_inferences, room;
static uint64_t executed; /* all instructions outside NAME_run since reset; TBs add to it inline */
static uint64_t flushed;  /* value of `executed` when it was last credited to a slot */
static bool active;
static uint32_t current;
static uint64_t nested; /* entries while active: means that a return was missed */

static struct violation *violations;
static size_t n_violations, max_violations;
static uint64_t all_violations;

/* The first instruction that writes to the stack runs at call depth 0 (a call needs the return address
 * saved first), so its lowest address plus its frame offset (DWARF CFI, in the driver) is SP at entry. */
static uint64_t first_push_pc, first_push_low = UINT64_MAX;
static bool first_push_done;

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "ekc_plugin: %s\n", what);
    exit(1);
}

static void *grow(void *memory, size_t bytes)
{
    void *grown = realloc(memory, bytes);
    return grown != NULL ? grown : (fail("out of memory"), NULL);
}

/* ---- counting ---- */

static void credit(void)
{
    counts[(n_inferences - 1) * n_slots + current] += executed - flushed;
    flushed = executed;
}

static void begin(void)
{
    if (active) {
        nested++;
        credit();
    }
    if (n_inferences == room) {
        room = room ? 2 * room : 64;
        counts = grow(counts, room * n_slots * sizeof *counts);
    }
    memset(counts + n_inferences * n_slots, 0, n_slots * sizeof *counts);
    n_inferences++;
    flushed = executed;
    active = true;
}

static void on_entry(unsigned cpu, void *slot)
{
    (void)cpu;
    begin();
    current = (uint32_t)(uintptr_t)slot;
    counts[(n_inferences - 1) * n_slots + current]++;
}

static void on_own_insn(unsigned cpu, void *slot)
{
    (void)cpu;
    if (active) {
        credit();
        current = (uint32_t)(uintptr_t)slot;
        counts[(n_inferences - 1) * n_slots + current]++;
    }
}

static void on_return(unsigned cpu, void *insns)
{
    (void)cpu;
    if (active) {
        credit();
        active = false;
        first_push_done = true;
    }
    executed += (uintptr_t)insns;
}

static void on_other(unsigned cpu, void *insns)
{
    (void)cpu;
    executed += (uintptr_t)insns;
}

#include "ekc_accesses.h"
#include "ekc_blocks.h"

/* ---- translation: decides what each block will report ---- */

static bool slot_of(uint64_t pc, uint32_t *slot)
{
    size_t lo = 0, hi = n_ranges;
    while (lo < hi) { /* first range with range.hi > pc */
        size_t mid = lo + (hi - lo) / 2;
        if (ranges[mid].hi <= pc) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    if (lo == n_ranges || pc < ranges[lo].lo) {
        return false;
    }
    *slot = ranges[lo].slot;
    return true;
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    const size_t n = qemu_plugin_tb_n_insns(tb);
    const uint64_t start = qemu_plugin_tb_vaddr(tb);
    size_t others = 0;
    if (start >= skip_low && start < skip_high) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        const uint64_t pc = qemu_plugin_insn_vaddr(insn);
        uint32_t slot;
        if (slot_of(pc, &slot)) {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, pc == entry_pc ? on_entry : on_own_insn,
                                                   QEMU_PLUGIN_CB_NO_REGS, (void *)(uintptr_t)slot);
        } else {
            others++;
        }
        if (tracing) {
            qemu_plugin_register_vcpu_mem_cb(insn, on_memory, QEMU_PLUGIN_CB_NO_REGS,
                                             QEMU_PLUGIN_MEM_RW, (void *)(uintptr_t)pc);
        }
    }
    bool is_return = false;
    for (size_t i = 0; i < n_returns; i++) {
        is_return = is_return || returns[i] == start;
    }
    if (tracing && !is_return) {
        watch_block(tb, start);
    }
    if (is_return) { /* a return always starts a block */
        qemu_plugin_register_vcpu_tb_exec_cb(tb, on_return, QEMU_PLUGIN_CB_NO_REGS,
                                             (void *)(uintptr_t)others);
        return;
    }
    if (others == n) {
#if EKC_INLINE_COUNTERS
        qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &executed, n);
#else
        qemu_plugin_register_vcpu_tb_exec_cb(tb, on_other, QEMU_PLUGIN_CB_NO_REGS,
                                             (void *)(uintptr_t)n);
#endif
        return;
    }
    /* A block that runs from other code into NAME_run, or out of it: count its others one by one. */
    for (size_t i = 0; others != 0 && i < n; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint32_t slot;
        if (!slot_of(qemu_plugin_insn_vaddr(insn), &slot)) {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_other, QEMU_PLUGIN_CB_NO_REGS,
                                                   (void *)(uintptr_t)1);
        }
    }
}

/* ---- in and out ---- */

static void write_json(qemu_plugin_id_t id, void *unused)
{
    (void)id, (void)unused;
    FILE *f = fopen(out_path, "w");
    if (f == NULL) {
        return; /* the driver sees that there is no result */
    }
    fprintf(f, "{\"finished\": %s, \"nested\": %" PRIu64 ",\n", active ? "false" : "true", nested);
    fprintf(f, "\"first_push_pc\": %" PRIu64 ", \"first_push_low\": %" PRIu64 ",\n\"instructions\": [",
            first_push_pc, first_push_low);
    for (size_t i = 0; i < n_inferences; i++) {
        fprintf(f, "%s\n[", i ? "," : "");
        for (size_t s = 0; s < n_slots; s++) {
            fprintf(f, "%s%" PRIu64, s ? ", " : "", counts[i * n_slots + s]);
        }
        fprintf(f, "]");
    }
    fprintf(f, "],\n\"slots\": [");
    for (size_t s = 0; s < n_slots; s++) {
        const struct slot *x = &slots[s];
        fprintf(f, "%s\n[%" PRIu64 ", %" PRIu64 ", %" PRIu64 ", %" PRIu64 ", %" PRIu64 "]",
                s ? "," : "", x->loads, x->stores, x->load_bytes, x->store_bytes, x->stack_low);
    }
    fprintf(f, "],\n\"all_violations\": %" PRIu64 ",\n\"violations\": [", all_violations);
    for (size_t i = 0; i < n_violations; i++) {
        const struct violation *v = &violations[i];
        fprintf(f, "%s\n[%u, %" PRIu64 ", %" PRIu64 ", %u, %s]", i ? "," : "", v->slot, v->pc,
                v->address, v->bytes, v->store ? "true" : "false");
    }
    fprintf(f, "],\n\"blocks\": [");
    write_blocks(f);
    fprintf(f, "]}\n");
    fclose(f);
}

static void read_line(char *line)
{
    uint64_t a = 0, b = 0, c = 0;
    char word[16] = "";
    if (strncmp(line, "out ", 4) == 0) {
        line[strcspn(line, "\n")] = '\0';
        memcpy(out_path, line + 4, strlen(line + 4) + 1); /* fits: as long as `line` */
        return;
    }
    sscanf(line, "%15s %" SCNi64 " %" SCNi64 " %" SCNi64, word, (int64_t *)&a, (int64_t *)&b,
           (int64_t *)&c);
    if (strcmp(word, "entry") == 0) {
        entry_pc = a;
    } else if (strcmp(word, "return") == 0 && n_returns < MAX_RETURNS) {
        returns[n_returns++] = a;
    } else if (strcmp(word, "slots") == 0 && n_slots == 0) {
        n_slots = (size_t)a;
        slots = grow(NULL, (n_slots + 1) * sizeof *slots);
        for (size_t i = 0; i < n_slots; i++) {
            slots[i] = (struct slot){.stack_low = UINT64_MAX};
        }
    } else if (strcmp(word, "range") == 0 && n_ranges < MAX_RANGES && c < n_slots) {
        ranges[n_ranges++] = (struct range){a, b, (uint32_t)c};
    } else if (strcmp(word, "trace") == 0) {
        tracing = true;
        max_violations = (size_t)a;
        violations = grow(violations, (max_violations + 1) * sizeof *violations);
    } else if (strcmp(word, "region") == 0 && n_regions < MAX_REGIONS) {
        regions[n_regions++] = (struct region){a, b, (unsigned)c};
    } else if (strcmp(word, "skip") == 0) {
        skip_low = a;
        skip_high = b;
    } else if (strcmp(word, "autostack") == 0) {
        stack_below = a;
        stack_above = b;
    } else {
        fail("bad line in conf");
    }
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    static char line[sizeof out_path];
    (void)info;
    if (argc != 1 || strncmp(argv[0], "conf=", 5) != 0) {
        fail("give conf=FILE");
    }
    FILE *f = fopen(argv[0] + 5, "r");
    if (f == NULL) {
        fail("cannot read conf");
    }
    while (fgets(line, sizeof line, f) != NULL) {
        read_line(line);
    }
    fclose(f);
    if (out_path[0] == '\0' || n_ranges == 0 || n_returns == 0 || entry_pc == UINT64_MAX) {
        fail("conf lacks out, entry, return or range");
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    qemu_plugin_register_atexit_cb(id, write_json, NULL);
    return 0;
}
