/* SPDX-License-Identifier: Apache-2.0 */
/* Updates that lose power: `power_cuts SEED CUTS`. Each setting is a random flash, and an update, whole or of
 * changes, that is cut within and behind each unit that it programs and each sector that it erases, marks often. The
 * device boots, and three further updates are cut at random steps, often early ones. After each cut the device boots
 * twice, and one of the payloads that were written must run, byte by byte. An update without a cut must succeed
 * then. Prints JSON; exits with 1 where not. The signature is a stand-in, two hashes with a secret, as what is tried
 * here is the flash. */
#include "flash_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST 1200U /* bytes of a payload */
#define LATER 4U      /* updates behind the first cut */
#define HARD 12U      /* times that a step of marks or of erasing is cut within */

typedef struct {
    uint8_t header[EK_UPDATE_HEADER];
    uint8_t body[LARGEST + 64U];
    uint8_t payload[LARGEST];
    uint32_t body_bytes, payload_bytes;
} update;

static const uint8_t network[EK_UPDATE_NETWORK] = "a small network";

static void keyed(const uint8_t key[EK_UPDATE_KEY], const uint8_t *message, uint32_t bytes, uint8_t out[64])
{
    for (uint8_t half = 0; half < 2; half++) {
        ek_sha256 hash;
        ek_sha256_start(&hash);
        ek_sha256_add(&hash, &half, 1);
        ek_sha256_add(&hash, key, EK_UPDATE_KEY);
        ek_sha256_add(&hash, message, bytes);
        ek_sha256_end(&hash, out + 32U * half);
    }
}

static int check(const uint8_t signature[64], const uint8_t key[EK_UPDATE_KEY], const uint8_t *message, uint32_t bytes)
{
    uint8_t right[64];
    keyed(key, message, bytes, right);
    return !ek_update_equal(signature, right, sizeof right);
}

static const ek_update_key keys[1] = {{3, {1, 2, 3}}};
static ek_update_policy policy = {keys, 1, 0, 0, {0}, check};

static void put(uint8_t *to, uint32_t value)
{
    for (uint32_t i = 0; i < 4; i++) {
        to[i] = (uint8_t)(value >> (8U * i));
    }
}

static void sha256(const uint8_t *data, uint32_t bytes, uint8_t *to)
{
    ek_sha256 hash;
    ek_sha256_start(&hash);
    ek_sha256_add(&hash, data, bytes);
    ek_sha256_end(&hash, to);
}

/* The next payload and its update; one of changes where there is something to change and chance says so. */
static void make(update *next, const update *running, uint32_t sequence, uint64_t *random)
{
    int delta = running != NULL && (model_random(random) & 1U);
    memset(next, 0, sizeof *next);
    next->payload_bytes = 1U + model_random(random) % LARGEST;
    for (uint32_t i = 0; i < next->payload_bytes; i++) {
        next->payload[i] = (uint8_t)model_random(random);
    }
    if (delta) {
        next->payload_bytes = running->payload_bytes;
        memcpy(next->payload, running->payload, next->payload_bytes);
        uint32_t at = model_random(random) % next->payload_bytes, left = next->payload_bytes - at;
        uint32_t bytes = 1U + model_random(random) % (left < 50U ? left : 50U);
        put(next->body, at);
        put(next->body + 4, bytes);
        for (uint32_t i = 0; i < bytes; i++) {
            next->body[8U + i] = next->payload[at + i] = (uint8_t)model_random(random);
        }
        next->body_bytes = 8U + bytes;
        sha256(running->payload, running->payload_bytes, next->header + 84);
    } else {
        next->body_bytes = next->payload_bytes;
        memcpy(next->body, next->payload, next->payload_bytes);
    }
    memcpy(next->header, "EKUP", 4);
    put(next->header + 4, EK_UPDATE_VERSION | EK_UPDATE_HEADER << 16);
    put(next->header + 8, delta ? EK_UPDATE_DELTA : 0);
    put(next->header + 12, sequence);
    put(next->header + 20, 3);
    put(next->header + 28, next->body_bytes);
    put(next->header + 32, next->payload_bytes);
    memcpy(next->header + 36, network, sizeof network);
    sha256(next->payload, next->payload_bytes, next->header + 52);
    keyed(keys[0].bytes, next->header, EK_UPDATE_SIGNED, next->header + EK_UPDATE_SIGNED);
}

static ek_update_status install(ek_slots *slots, const update *next, uint64_t *random)
{
    ek_update_status status = ek_slots_begin(slots, next->header);
    for (uint32_t at = 0; status == EK_UPDATE_OK && at < next->body_bytes;) {
        uint32_t left = next->body_bytes - at, bytes = 1U + model_random(random) % 100U;
        bytes = bytes < left ? bytes : left;
        status = ek_slots_write(slots, next->body + at, bytes);
        at += bytes;
    }
    return status == EK_UPDATE_OK ? ek_slots_finish(slots) : status;
}

static int runs(flash_model *model, const ek_slots *slots, const update *one)
{
    static uint8_t found[LARGEST];
    uint32_t bytes, slot = ek_slots_active(slots, &bytes);
    ek_slots_flash flash = model_hooks(model);
    return slot != EK_SLOTS_NONE && bytes == one->payload_bytes &&
           flash.read(model, slot, EK_SLOTS_PAYLOAD, found, bytes) == 0 && memcmp(found, one->payload, bytes) == 0;
}

typedef struct {
    uint32_t settings, cuts, old_runs, new_runs, neither, refused, mistakes, doubtful_boots;
} counts;

/* Boots twice; the payload that runs then, of those that were written. The last one is preferred of equal ones. */
static const update *boot(flash_model *model, ek_slots *slots, const ek_slots_flash *flash, const update **written,
                          uint32_t count, counts *found)
{
    const update *first = NULL, *now = NULL;
    for (int i = 0; i < 2; i++) {
        ek_slots_open(slots, flash, &policy);
        now = NULL;
        for (uint32_t k = count; k-- > 0 && now == NULL;) {
            now = runs(model, slots, written[k]) ? written[k] : NULL;
        }
        first = i == 0 ? now : first;
        found->neither += now == NULL;
    }
    found->doubtful_boots += first != now;
    found->old_runs += now == written[0];
    found->new_runs += now != NULL && now != written[0];
    return now;
}

/* An update that is cut; 0: it ended before the cut. */
static int cut_update(flash_model *model, ek_slots *slots, const update *next, uint32_t step, int within,
                      uint64_t *random)
{
    jmp_buf cut;
    model->cut = &cut;
    model->steps = 0;
    model->cut_at = step;
    model->cut_within = within;
    if (setjmp(cut) == 0) {
        install(slots, next, random);
        model->cut_at = MODEL_NEVER;
        return 0;
    }
    model->cut_at = MODEL_NEVER;
    return 1;
}

/* Further updates, all but the last with a cut. */
static void after_a_cut(flash_model *model, const ek_slots_flash *flash, const update *old, const update *fresh,
                        uint32_t steps, uint64_t *random, counts *found)
{
    static update later[LATER];
    const update *written[LATER + 2U] = {old, fresh};
    ek_slots slots;
    for (uint32_t i = 0; i < LATER; i++) {
        const update *now = boot(model, &slots, flash, written, 2U + i, found);
        if (now == NULL) {
            return;
        }
        make(&later[i], now, 3U + i, random);
        written[2U + i] = &later[i];
        if (i + 1U < LATER) {
            uint32_t early = 3U * EK_SLOTS_UNIT / model->unit + flash->sectors[0];
            uint32_t step = model_random(random) % (model_random(random) % 4U ? early : steps + 20U);
            found->cuts += (uint32_t)cut_update(model, &slots, &later[i], step, model_random(random) & 1U, random);
        } else {
            found->refused += install(&slots, &later[i], random) != EK_UPDATE_OK || !runs(model, &slots, &later[i]);
            found->neither += boot(model, &slots, flash, written, 2U + LATER, found) != &later[i];
        }
    }
}

static void one_setting(uint64_t seed, counts *found)
{
    static flash_model start, model;
    static update old, fresh;
    static const uint32_t sectors[3] = {256, 1024, 3072};
    uint64_t random = seed * 2654435761U + 12345U;
    ek_slots slots;
    model_start(&start, 3072, sectors[model_random(&random) % 3U], 1U << (model_random(&random) % 6U),
                (int)(model_random(&random) & 1U), seed + 1U);
    model = start;
    ek_slots_flash first = model_hooks(&start), flash = model_hooks(&model);
    make(&old, NULL, 1, &random);
    make(&fresh, &old, 2, &random);
    ek_slots_open(&slots, &first, &policy);
    found->refused += install(&slots, &old, &random) != EK_UPDATE_OK;
    model = start;
    model.steps = 0;
    ek_slots_open(&slots, &flash, &policy);
    found->refused += install(&slots, &fresh, &random) != EK_UPDATE_OK;
    uint32_t steps = model.steps, marks = 2U * EK_SLOTS_UNIT / start.unit, early = marks + flash.sectors[0];
    for (uint32_t step = 0; step < steps; step++) {
        uint32_t times = step < early || step + marks >= steps ? HARD : 2U; /* behind it once, else within it */
        for (uint32_t i = 0; i < times; i++) {
            uint64_t noise = start.random + (step * HARD + i) * 0x9E3779B97F4A7C15U;
            model = start;
            model.random = noise | 1U;
            ek_slots_open(&slots, &flash, &policy);
            found->cuts += (uint32_t)cut_update(&model, &slots, &fresh, step, i > 0, &random);
            after_a_cut(&model, &flash, &old, &fresh, steps, &random, found);
            found->mistakes += model.mistakes;
        }
    }
    found->settings++;
}

int main(int argc, char **argv)
{
    counts found = {0};
    if (argc != 3) {
        return 2;
    }
    memcpy(policy.network, network, sizeof network);
    uint64_t seed = strtoull(argv[1], NULL, 10);
    for (uint32_t cuts = (uint32_t)strtoul(argv[2], NULL, 10); found.cuts < cuts; seed++) {
        one_setting(seed, &found);
    }
    printf("{\"settings\": %u, \"cuts\": %u, \"old_runs\": %u, \"new_runs\": %u, \"doubtful_boots\": %u, "
           "\"neither\": %u, \"next_update_refused\": %u, \"units_programmed_twice\": %u}\n",
           found.settings, found.cuts, found.old_runs, found.new_runs, found.doubtful_boots, found.neither,
           found.refused, found.mistakes);
    return found.neither || found.refused || found.mistakes;
}
