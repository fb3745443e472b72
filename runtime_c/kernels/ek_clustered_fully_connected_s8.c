/* Fully connected layer with clustered weights: the index stream is read once for each row. */
#include "ek_clustered.h"

#include "ek_bits.h"
#include "ek_output_s8.h"

void ek_clustered_fully_connected_s8(const ek_clustered_fully_connected_params *p, const int8_t *in, int8_t *out)
{
    const ek_output output = EK_OUTPUT(p);
    const ek_s16 *const centers = p->centers;
    for (uint32_t row = 0; row < p->rows; row++, in += p->in_c) {
        ek_bits reader = ek_bits_open(p->indices, p->bits);
        for (uint32_t c = 0; c < p->out_c; c++) {
            int32_t acc = p->bias[c];
            for (uint32_t i = 0; i < p->in_c; i++) {
                acc += in[i] * (int32_t)centers[ek_bits_next(&reader)];
            }
            *out++ = ek_output_s8(&output, acc, c);
        }
    }
}
