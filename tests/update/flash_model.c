/* SPDX-License-Identifier: Apache-2.0 */
#include "flash_model.h"

#include <string.h>

/* xorshift64* (Marsaglia 2003, Vigna 2016). */
uint32_t model_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (uint32_t)((*state * 2685821657736338717U) >> 32);
}

void model_start(flash_model *model, uint32_t slot_bytes, uint32_t sector_bytes, uint32_t unit, int ecc, uint64_t seed)
{
    memset(model, 0, sizeof *model);
    model->slot_bytes = slot_bytes;
    model->sector_bytes = sector_bytes;
    model->unit = unit;
    model->ecc = ecc;
    model->random = seed * 0x9E3779B97F4A7C15U + 1U;
    model->cut_at = MODEL_NEVER;
    model->stuck = MODEL_NEVER;
    for (uint32_t i = 0; i < slot_bytes; i++) { /* nobody erased it yet */
        model->data[0][i] = (uint8_t)model_random(&model->random);
        model->data[1][i] = (uint8_t)model_random(&model->random);
    }
}

/* When power fails within a step. Early hardly a bit has turned, late hardly one is missing: what was torn then looks
 * like nothing, or like all of it, at one reading or the other. */
typedef enum { EARLY, MIDDLE, LATE } moment;

/* Bits that turn, each with one of three fates. */
static void turn_some(flash_model *model, uint32_t slot, uint32_t at, uint8_t turning, moment when)
{
    uint8_t doubt = turning, turned = turning;
    for (uint32_t i = 0; i < (when == MIDDLE ? 2U : 7U); i++) {
        doubt &= (uint8_t)model_random(&model->random);
    }
    if (when == MIDDLE) {
        turned &= (uint8_t)model_random(&model->random);
    } else if (when == EARLY) {
        turned = 0;
    }
    model->data[slot][at] ^= turned;
    model->doubt[slot][at] |= doubt;
}

static void step_done(flash_model *model)
{
    if (model->steps++ == model->cut_at) {
        longjmp(*model->cut, 1);
    }
}

static int cut_here(const flash_model *model)
{
    return model->cut_within && model->steps == model->cut_at;
}

static int read_hook(void *context, uint32_t slot, uint32_t offset, uint8_t *to, uint32_t bytes)
{
    flash_model *model = context;
    if (model->refuses_read || offset + bytes > model->slot_bytes) {
        return 1;
    }
    for (uint32_t i = 0; i < bytes; i++) {
        uint32_t at = offset + i;
        if (model->broken[slot][at - at % model->unit]) {
            return 1;
        }
        to[i] = model->data[slot][at] ^ (model->doubt[slot][at] & (uint8_t)model_random(&model->random));
    }
    return 0;
}

static void program_unit(flash_model *model, uint32_t slot, uint32_t offset, const uint8_t *from)
{
    int torn = cut_here(model);
    moment when = torn ? (moment)(model_random(&model->random) % 3U) : LATE;
    for (uint32_t i = 0; i < model->unit; i++) {
        uint32_t at = offset + i;
        model->mistakes += (uint8_t)~(model->data[slot][at] | model->doubt[slot][at]) != 0;
        if (at == model->stuck) {
            continue;
        }
        uint8_t turning = (uint8_t)((model->data[slot][at] | model->doubt[slot][at]) & ~from[i]);
        if (torn) {
            turn_some(model, slot, at, turning, when);
        } else {
            model->data[slot][at] &= from[i];
            model->doubt[slot][at] &= from[i];
        }
    }
    if (torn && model->ecc) {
        model->broken[slot][offset] = 1;
    }
    step_done(model);
}

static int program_hook(void *context, uint32_t slot, uint32_t offset, const uint8_t *from, uint32_t bytes)
{
    flash_model *model = context;
    if (model->refuses_program || offset % model->unit || bytes % model->unit || offset + bytes > model->slot_bytes) {
        return 1;
    }
    for (uint32_t i = 0; i < bytes && !model->read_only; i += model->unit) {
        program_unit(model, slot, offset + i, from + i);
    }
    return 0;
}

static int erase_hook(void *context, uint32_t slot, uint32_t sector)
{
    flash_model *model = context;
    uint32_t start = sector * model->sector_bytes;
    if (model->refuses_erase || start >= model->slot_bytes) {
        return 1;
    }
    if (model->read_only) {
        return 0;
    }
    /* Some parts program all bits to 0 first: then those that were 1 may be found as 0 too. */
    int torn = cut_here(model), zeros_first = torn && (model_random(&model->random) & 1U);
    moment when = torn ? (moment)(model_random(&model->random) % 3U) : LATE;
    for (uint32_t at = start; at < start + model->sector_bytes; at++) {
        if (zeros_first) {
            model->data[slot][at] &= (uint8_t)model_random(&model->random);
        }
        if (torn) {
            turn_some(model, slot, at, (uint8_t)~model->data[slot][at], when);
            int breaks = model->ecc && at % model->unit == 0 && (model_random(&model->random) & 1U);
            model->broken[slot][at] = (uint8_t)breaks;
        } else {
            model->data[slot][at] = 0xFF;
            model->doubt[slot][at] = 0;
            model->broken[slot][at] = 0;
        }
    }
    step_done(model);
    return 0;
}

ek_slots_flash model_hooks(flash_model *model)
{
    uint32_t sectors = model->slot_bytes / model->sector_bytes;
    ek_slots_flash flash = {model,     model->slot_bytes, {sectors, sectors}, model->unit,
                            read_hook, program_hook,      erase_hook};
    return flash;
}
