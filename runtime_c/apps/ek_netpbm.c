/* SPDX-License-Identifier: Apache-2.0 */
#include "ek_netpbm.h"

#include "ek_port.h"

#define LONGEST_COMMENT 32u /* of those that mean something */
#define DIGITS 4u           /* of a number in a comment */
#define MOST 65535u         /* pixels of a side */
#define END 256u            /* of the file, in place of a byte */

static int is_space(uint32_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int is_digit(uint32_t c)
{
    return c >= '0' && c <= '9';
}

/* The next byte, or END. */
static uint32_t next(int file)
{
    uint8_t byte = 0;
    return ek_port_read(file, &byte, 1) == 1 ? byte : END;
}

/* Whether `word` comes, and moves `text` behind it. */
static int word(const char **text, const char *expected)
{
    const char *at = *text;
    while (*expected != '\0') {
        if (*at++ != *expected++) {
            return 0;
        }
    }
    *text = at;
    return 1;
}

/* Whether a space and a number come, and moves `text` behind them. */
static int number(const char **text, uint16_t *value)
{
    uint32_t digits = 0, found = 0;
    if (!word(text, " ")) {
        return 0;
    }
    for (; is_digit((uint8_t)**text); digits++) {
        if (digits == DIGITS) {
            return 0;
        }
        found = found * 10u + (uint32_t)(*(*text)++ - '0');
    }
    *value = (uint16_t)found;
    return digits > 0;
}

/* What is in the frame, where the comment says it. */
static void understand(const char *text, ek_netpbm *frame)
{
    ek_box box = {0, 0, 0, 0, 0, 0};
    if (word(&text, " class")) {
        if (number(&text, &box.label) && *text == '\0') {
            frame->index = box.label;
        }
    } else if (word(&text, " box") && number(&text, &box.label) && number(&text, &box.left) &&
               number(&text, &box.top) && number(&text, &box.right) && number(&text, &box.bottom) && *text == '\0' &&
               box.left < box.right && box.right <= EK_SCALE_LONGEST && box.top < box.bottom &&
               box.bottom <= EK_SCALE_LONGEST && frame->count < EK_NETPBM_TRUTHS) {
        frame->truths[frame->count++] = box;
    }
}

/* Reads a comment up to the end of its line. */
static void comment(int file, ek_netpbm *frame)
{
    char text[LONGEST_COMMENT];
    uint32_t length = 0;
    for (uint32_t c = next(file); c != '\n' && c != END; c = next(file)) {
        if (c == 0) {
            length = LONGEST_COMMENT; /* no text */
        } else if (length < LONGEST_COMMENT) {
            text[length++] = (char)c;
        }
    }
    if (length < LONGEST_COMMENT) {
        text[length] = '\0';
        understand(text, frame);
    }
}

/* Reads a number of the header, and the byte behind it; 0 where there is none, or it is above MOST. */
static uint32_t header(int file, ek_netpbm *frame)
{
    uint32_t value = 0;
    uint32_t c = next(file);
    while (is_space(c) || c == '#') {
        if (c == '#') {
            comment(file, frame);
        }
        c = next(file);
    }
    for (; is_digit(c); c = next(file)) {
        value = value <= MOST ? value * 10u + c - '0' : value;
    }
    return is_space(c) && value <= MOST ? value : 0;
}

int ek_netpbm_next(int file, ek_netpbm *frame)
{
    uint8_t magic[2];
    uint32_t count = ek_port_read(file, magic, 2);
    if (count == 0) {
        return 0;
    }
    if (count != 2 || magic[0] != 'P' || (magic[1] != '5' && magic[1] != '6')) {
        return -1;
    }
    frame->channels = magic[1] == '5' ? 1 : 3;
    frame->index = EK_NETPBM_UNKNOWN;
    frame->count = 0;
    frame->width = header(file, frame);
    frame->height = header(file, frame);
    return frame->width != 0 && frame->height != 0 && header(file, frame) == 255u ? 1 : -1;
}
