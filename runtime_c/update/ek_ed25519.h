/* SPDX-License-Identifier: Apache-2.0 */
/* An `ek_update_check`. ek_ed25519.c defines it; so does ek_ed25519_monocypher.c, by Monocypher. Link one of the two. */
#ifndef EK_ED25519_H
#define EK_ED25519_H

#include <stdint.h>

int ek_ed25519_check(const uint8_t signature[64], const uint8_t key[32], const uint8_t *message, uint32_t bytes);

#endif
