/* SPDX-License-Identifier: Apache-2.0 */
/* LSTM: four gates from sums over the input and the hidden values, then cells and hidden values, step by step.
 *
 * A number with i integer bits is held in 16 bits as value * 2^(15 - i), "Qi" below.
 */
#include "ek_lstm.h"

#include "ek_fixedpoint.h"
#include "ek_kept16.h"

#define MOST INT16_MAX

/* To the range of 16 bits. */
static int32_t saturate(int32_t x)
{
    return ek_clamp(x, -(int32_t)MOST - 1, MOST);
}

/* The product of a number in Q0 and another, in the other's form; halves are rounded up. */
static int32_t mul(int32_t a, int32_t b)
{
    return ek_min((a * b + ((int32_t)1 << 14)) >> 15, MOST);
}

/* exp(a) in Q0 of a <= 0 with so many integer bits, 1 to 7: a polynomial within a quarter, times powers. */
static int32_t exp_negative(int32_t a, int32_t bits)
{
    /* exp(-2^(k - 2)) in Q0 */
    static const int16_t powers[] = {25520, 19875, 12055, 4435, 600, 11, 0};
    const int32_t eighth = 28918; /* exp(-1/8) */
    const int32_t third = 10923;
    const int32_t at = 13 - bits; /* a quarter is this bit */
    const int32_t quarter = (int32_t)1 << at;
    const int32_t fraction = (a & (quarter - 1)) - quarter; /* in [-1/4, 0) */
    const int32_t x = ek_shift_left(fraction, bits) + ((int32_t)1 << 12); /* + 1/8, in Q0 */
    const int32_t x2 = mul(x, x), x3 = mul(x2, x), x4 = mul(x2, x2);
    const int32_t tail = ek_divide_pot(mul(ek_divide_pot(x4, 2) + x3, third) + x2, 1);
    int32_t result = saturate(eighth + mul(x + tail, eighth));
    uint32_t remainder = (uint32_t)(fraction - a) >> at;

    if (a == 0) {
        return MOST;
    }
    if (bits > 5 && a < -((int32_t)32 << (15 - bits))) {
        return 0;
    }
    for (uint32_t k = 0; k < 7u && remainder != 0; k++, remainder >>= 1) {
        if (remainder & 1u) {
            result = mul(result, powers[k]);
        }
    }
    return result;
}

/* 2 / (1 + x) in Q2 of x >= 0 in Q0: three Newton steps. */
static int32_t reciprocal(int32_t x)
{
    const int32_t half = (x + (int32_t)MOST + 1) >> 1;
    int32_t guess = 23130 + mul(half, -15420); /* 48/17 - 32/17 * half */
    for (uint32_t step = 0; step < 3u; step++) {
        const int32_t error = ((int32_t)1 << 13) - mul(half, guess);
        guess += saturate(ek_shift_left(mul(guess, error), 2));
    }
    return guess;
}

/* 1 / (1 + exp(-x)) in Q0 of x in Q3. */
static int32_t sigmoid(int32_t x)
{
    const int32_t positive = saturate(reciprocal(exp_negative(x > 0 ? -x : x, 3)) * 2);
    if (x == 0) {
        return (int32_t)1 << 14;
    }
    return x > 0 ? positive : MOST - positive;
}

/* tanh(x) in Q0 of x with so many integer bits, 0 to 6: 2 / (1 + e) - 1, where one more integer bit doubles -|x|. */
static int32_t tanh_of(int32_t x, int32_t bits)
{
    const int32_t e = exp_negative(x > 0 ? -x : x, bits + 1);
    const int32_t size = saturate(ek_shift_left(reciprocal(e) - ((int32_t)1 << 13), 2));
    if (x == 0) {
        return 0;
    }
    return x > 0 ? size : -size;
}

static int32_t dot(const int8_t *a, const int8_t *b, uint32_t count, int32_t sum)
{
    for (uint32_t i = 0; i < count; i++) {
        sum += (int32_t)a[i] * b[i];
    }
    return sum;
}

/* The sums of all gates of a step, in Q3: (units, 4). */
static void add_up(const ek_lstm_params *p, const int8_t *x, const int8_t *hidden, int16_t *sums)
{
    const int8_t *row = p->gates;
    const int32_t *bias = p->gate_bias;
    for (uint32_t gate = 0; gate < 4u; gate++) {
        const int32_t *multiplier = p->gate_multiplier + 2u * gate;
        const int8_t *shift = p->gate_shift + 2u * gate;
        for (uint32_t unit = 0; unit < p->units; unit++, row += p->inputs + p->units, bias += 2) {
            const int32_t given = dot(row, x, p->inputs, bias[0]);
            const int32_t kept = dot(row + p->inputs, hidden, p->units, bias[1]);
            const int32_t first = saturate(ek_requant_double(given, multiplier[0], shift[0]));
            const int32_t second = ek_requant_double(kept, multiplier[1], shift[1]);
            sums[4u * unit + gate] = (int16_t)saturate(ek_sum(first, second));
        }
    }
}

void ek_lstm_s8(const ek_lstm_params *p, const int8_t *x, const int8_t *kept, int8_t *out, void *scratch)
{
    int16_t *sums = (int16_t *)scratch;
    int8_t *const cells = out + p->steps * p->units;
    const int8_t *hidden = kept, *from = kept + p->units;
    for (uint32_t step = 0; step < p->steps; step++, x += p->inputs, out += p->units) {
        add_up(p, x, hidden, sums);
        for (uint32_t unit = 0; unit < p->units; unit++) {
            const int16_t *gate = sums + 4u * unit;
            const int32_t written = sigmoid(gate[0]) * tanh_of(gate[2], 3);
            int32_t cell = ek_divide_pot(sigmoid(gate[1]) * ek_get16(from + 2u * unit), 15);
            int32_t value;
            cell = saturate(cell + ek_divide_pot(written, 15 + p->cell_bits));
            if (p->clip != 0) {
                cell = ek_clamp(cell, -(int32_t)p->clip, p->clip);
            }
            ek_put16(cells + 2u * unit, cell);
            value = sigmoid(gate[3]) * tanh_of(cell, p->cell_bits);
            value = ek_requant_double(value, p->hidden_multiplier, p->hidden_shift) + p->out_zero;
            out[unit] = (int8_t)ek_clamp(value, -128, 127);
        }
        hidden = out;
        from = cells;
    }
}
