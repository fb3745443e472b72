/* SPDX-License-Identifier: Apache-2.0 */
/* Second-stage loader of the RP2040: its boot ROM copies the first 256 bytes of flash to RAM and runs them.
 *
 * It asks the ROM itself for memory-mapped flash (`_flash_enter_cmd_xip`: serial reads by command 03h, slow, and
 * understood by every flash chip), and then starts the program whose vectors follow in flash. RP2040 datasheet,
 * sections 2.7.2.1 (a table of functions at 0x14, its look-up function at 0x18) and 2.8.3.1.3.
 * Position-independent, no data but its own literals; edgekc adds the checksum. */
__asm__(".syntax unified\n"
        ".section .text.ek_boot2,\"ax\",%progbits\n"
        ".balign 4\n"
        ".thumb\n"
        ".global ek_boot2_code\n"
        ".type ek_boot2_code, %function\n"
        ".thumb_func\n"
        "ek_boot2_code:\n"
        "    movs r3, #0x14\n"
        "    ldrh r0, [r3, #0]\n" /* the table */
        "    ldrh r2, [r3, #4]\n" /* rom_table_lookup(table, code) */
        "    ldr r1, 1f\n"
        "    blx r2\n"
        "    blx r0\n"
        "    ldr r0, 2f\n"
        "    ldr r1, 3f\n"
        "    str r0, [r1]\n"
        "    ldmia r0!, {r1, r2}\n" /* initial stack pointer, reset handler */
        "    msr msp, r1\n"
        "    bx r2\n"
        ".balign 4\n"
        "1:  .word 0x5843\n"     /* 'C', 'X' */
        "2:  .word 0x10000100\n" /* the program's vectors, after this block */
        "3:  .word 0xE000ED08\n" /* VTOR */
        ".size ek_boot2_code, . - ek_boot2_code\n"
        ".text\n");
