/* SPDX-License-Identifier: Apache-2.0 */
#include "ek_app.h"

int ek_app_open(const char *path, ek_port_mode mode)
{
    int file = ek_port_open(path, mode);
    if (file < 0) {
        ek_port_exit(0);
    }
    return file;
}

void ek_app_put(int file, const char *text)
{
    uint32_t length = 0;
    while (text[length] != '\0') {
        length++;
    }
    if (ek_port_write(file, text, length) != 0) {
        ek_port_exit(0);
    }
}

void ek_app_put_number(int file, uint32_t value)
{
    char text[11];
    char *next = text + sizeof text;
    *--next = '\0';
    do {
        *--next = (char)('0' + value % 10u);
        value /= 10u;
    } while (value != 0);
    ek_app_put(file, next);
}

void ek_app_put_line(int file, const char *text, uint32_t value)
{
    ek_app_put(file, text);
    ek_app_put(file, " ");
    ek_app_put_number(file, value);
    ek_app_put(file, "\n");
}
