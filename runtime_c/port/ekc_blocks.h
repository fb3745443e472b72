/* SPDX-License-Identifier: Apache-2.0 */
/* Part of ekc_plugin.c: how often each block of code ran, and how often the code behind it came next.
 *
 * From this and the code's bytes the driver estimates cycles. A block counts for the layer that is current when it
 * starts; the driver knows better for the network function's own blocks, whose addresses say it. Before an
 * instruction that crosses a page QEMU ends a block, and takes two bytes of that instruction for its own; so blocks that
 * go on two bytes earlier than they end are counted apart.
 */
#ifndef EKC_BLOCKS_H
#define EKC_BLOCKS_H

struct visits {
    uint64_t runs, straight, earlier; /* next: where the block ends; two bytes before that */
};

struct block {
    uint64_t start, end;
    struct block *next;
    struct visits visits[]; /* by slot */
};

static struct block *blocks; /* one for each translation: the same code may be there twice */
static struct block *last_block;
static uint32_t last_slot;

static void on_block(unsigned cpu, void *data)
{
    (void)cpu;
    struct block *block = data;
    if (block->start == entry_pc) {
        last_block = NULL; /* its caller is not the network function's */
    } else if (!active) {
        return;
    }
    if (last_block != NULL) {
        last_block->visits[last_slot].straight += block->start == last_block->end;
        last_block->visits[last_slot].earlier += block->start == last_block->end - 2;
    }
    block->visits[current].runs++;
    last_block = block;
    last_slot = current;
}

static void watch_block(struct qemu_plugin_tb *tb, uint64_t start)
{
    struct block *block = grow(NULL, sizeof *block + n_slots * sizeof *block->visits);
    struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, qemu_plugin_tb_n_insns(tb) - 1);
    memset(block, 0, sizeof *block + n_slots * sizeof *block->visits);
    block->start = start;
    block->end = qemu_plugin_insn_vaddr(insn) + qemu_plugin_insn_size(insn);
    block->next = blocks;
    blocks = block;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_CB_NO_REGS, block);
}

static void write_blocks(FILE *f)
{
    const char *comma = "";
    for (const struct block *block = blocks; block != NULL; block = block->next) {
        for (size_t s = 0; s < n_slots; s++) {
            const struct visits *v = &block->visits[s];
            if (v->runs != 0) {
                fprintf(f, "%s\n[%" PRIu64 ", %" PRIu64 ", %zu, %" PRIu64 ", %" PRIu64 ", %" PRIu64 "]", comma,
                        block->start, block->end, s, v->runs, v->straight, v->earlier);
                comma = ",";
            }
        }
    }
}

#endif
