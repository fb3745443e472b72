/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs from a file, each behind its length: what the code says of each, a line each; and whether it left `out` zeros. */
#include "small.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int count, char **words)
{
    static const small_model none;
    FILE *const file = count == 2 ? fopen(words[1], "rb") : NULL;
    uint32_t bytes;

    if (file == NULL) {
        return 1;
    }
    while (fread(&bytes, sizeof bytes, 1, file) == 1) {
        uint8_t *const blob = malloc(bytes == 0 ? 1 : bytes);
        small_model model;
        if (fread(blob, 1, bytes, file) != bytes) {
            return 1;
        }
        const ek_blob_status status = small_open(blob, bytes, &model);
        printf("%d\n", (int)status);
        if (status != EK_BLOB_OK && memcmp(&model, &none, sizeof model) != 0) {
            return 1;
        }
        free(blob);
    }
    fclose(file);
    return 0;
}
