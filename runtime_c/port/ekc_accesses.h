/* SPDX-License-Identifier: Apache-2.0 */
/* Part of ekc_plugin.c: each load and store, how deep the stack goes, and what may not be accessed. */
#ifndef EKC_ACCESSES_H
#define EKC_ACCESSES_H

static unsigned kind_of(uint64_t address, unsigned bytes)
{
    static size_t last; /* accesses come in runs to one region */
    if (last < n_regions && address >= regions[last].lo && address + bytes <= regions[last].hi) {
        return regions[last].kind;
    }
    for (size_t i = 0; i < n_regions; i++) {
        if (address >= regions[i].lo && address + bytes <= regions[i].hi) {
            last = i;
            return regions[i].kind;
        }
    }
    return 0;
}

static void on_stack_write(struct slot *slot, uint64_t pc, uint64_t address)
{
    if (address < slot->stack_low) {
        slot->stack_low = address;
    }
    if (!first_push_done) {
        first_push_pc = first_push_pc != 0 ? first_push_pc : pc;
        if (first_push_pc != pc) {
            first_push_done = true;
        } else if (address < first_push_low) {
            first_push_low = address;
        }
    }
}

static void on_memory(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t address, void *pc_data)
{
    (void)cpu;
    if (!active) {
        return;
    }
    const uint64_t pc = (uintptr_t)pc_data;
    const unsigned bytes = 1u << qemu_plugin_mem_size_shift(info);
    const bool store = qemu_plugin_mem_is_store(info);
    struct slot *slot = &slots[current];
    unsigned kind = kind_of(address, bytes);
    if (kind == 0 && store && stack_below != 0 && n_regions < MAX_REGIONS) {
        regions[n_regions++] = (struct region){
            .lo = address - stack_below,
            .hi = address + stack_above,
            .kind = KIND_READ | KIND_WRITE | KIND_STACK,
        };
        stack_below = 0;
        kind = kind_of(address, bytes);
    }
    if (store) {
        slot->stores++;
        slot->store_bytes += bytes;
        if (kind & KIND_STACK) {
            on_stack_write(slot, pc, address);
        }
    } else {
        slot->loads++;
        slot->load_bytes += bytes;
    }
    if (!(kind & (store ? KIND_WRITE : KIND_READ))) {
        all_violations++;
        if (n_violations < max_violations) {
            violations[n_violations++] = (struct violation){current, pc, address, bytes, store};
        }
    }
}

#endif
