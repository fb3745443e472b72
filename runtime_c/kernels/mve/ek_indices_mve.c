/* SPDX-License-Identifier: Apache-2.0 */
/* Indices of 1 to 8 bits to words of 16, eight at a time. */
#include "ek_indices_mve.h"
#include "ek_mve.h"

void ek_indices_mve(const uint8_t *stream, uint32_t position, uint32_t bits, uint32_t count, uint16_t *to)
{
    const uint32_t first = position % 8, mask = (1u << bits) - 1, last = (first + 8 * bits - 1) / 8;
    stream += position / 8;
    if (count >= 8) {
        /* Where the bits of each of the eight are: a byte, and the one behind it if eight indices reach that far. */
        const ek_u16x8 bit = ek_vadd_n_u16(ek_vsteps_u16(bits), first), low = ek_vshr3_u16(bit);
        const ek_u16x8 high = ek_vmin_u16(ek_vadd_n_u16(low, 1), ek_vdup_u16(last)), mask8 = ek_vdup_u16(mask);
        const ek_s16x8 shift = ek_vneg_u16(ek_vand_u16(bit, ek_vdup_u16(7)));
        for (uint32_t eights = count / 8; eights; eights--, stream += bits, to += 8) {
            const ek_u16x8 word = ek_vsli_8(ek_vldrb_u16_at(stream, low), ek_vldrb_u16_at(stream, high));
            ek_vstrh_u16(to, ek_vand_u16(ek_vshl_u16(word, shift), mask8));
        }
    }
    for (uint32_t bit = first, left = count % 8; left; left--, bit += bits) {
        const uint32_t byte = bit / 8, reach = bit % 8 + bits;
        const uint32_t word = stream[byte] | (reach > 8 ? (uint32_t)stream[byte + 1] << 8 : 0u);
        *to++ = (uint16_t)(word >> bit % 8 & mask);
    }
}
