/* SPDX-License-Identifier: Apache-2.0 */
#include "ek_check.h"

#include <string.h>

/* A pointer of which the compiler knows nothing: it would compare equal constants, and those only, when it compiles. */
static const uint8_t *hidden(const void *data)
{
    const void *volatile pointer = data;

    return pointer;
}

/* How many of the next `bytes` this call checks; `from` is the first of them. */
static uint32_t take(ek_checking *check, uint32_t bytes, uint32_t *from)
{
    ekc_check *const progress = check->progress;
    uint32_t taken = 0;

    *from = progress->place - check->begin;
    if (progress->place >= check->begin && *from < bytes && check->damage == 0) {
        taken = bytes - *from < check->left ? bytes - *from : check->left;
        check->left -= taken;
        progress->place += taken;
    }
    check->begin += bytes;
    return taken;
}

void ek_check_begin(ek_checking *check, ekc_check *progress, uint32_t bytes)
{
    check->progress = progress;
    check->begin = 0;
    check->left = bytes;
    check->damage = 0;
}

void ek_check_crc(ek_checking *check, const void *data, uint32_t bytes, uint32_t crc)
{
    ekc_check *const progress = check->progress;
    uint32_t from;
    const uint32_t taken = take(check, bytes, &from);

    if (taken != 0) {
        progress->crc = ek_crc32(from == 0 ? 0 : progress->crc, hidden(data) + from, taken);
        if (from + taken == bytes) {
            check->damage = progress->crc ^ crc;
        }
    }
}

void ek_check_same(ek_checking *check, const void *used, const void *copy, uint32_t bytes)
{
    uint32_t from, taken = take(check, bytes, &from), damage = check->damage;
    const uint8_t *a = hidden(used), *b = hidden(copy);

    a += from;
    b += from;
    for (; taken >= 4; taken -= 4, a += 4, b += 4) {
        uint32_t x, y;
        memcpy(&x, a, 4);
        memcpy(&y, b, 4);
        damage |= x ^ y;
    }
    for (; taken != 0; taken--, a++, b++) {
        damage |= (uint32_t)(*a ^ *b);
    }
    check->damage = damage;
}

ekc_status ek_check_end(const ek_checking *check)
{
    ekc_check *const progress = check->progress;

    if (check->damage != 0) {
        progress->place = 0;
        return EKC_ERROR_DAMAGED;
    }
    if (progress->place >= check->begin) {
        /* Behind the end it cannot come by itself; such a pass counts for nothing. */
        progress->passes += progress->place == check->begin;
        progress->place = 0;
    }
    return EKC_OK;
}
