/* SPDX-License-Identifier: Apache-2.0 */
/* A stand-in for Arduino's: what the sketch calls, printed by putchar. */
#ifndef ARDUINO_H
#define ARDUINO_H

#include <stdint.h>
#include <stdio.h>

#define HEX 16

struct Stream {
    void begin(unsigned long) {}
    operator bool() const { return true; }
    void print(const char *text) { text_of(text); }
    void print(int value) { print(static_cast<uint32_t>(value), 10); }
    void print(uint32_t value, int base = 10)
    {
        char digits[34];
        int at = 33;
        digits[33] = 0;
        do {
            digits[--at] = "0123456789ABCDEF"[value % static_cast<uint32_t>(base)];
            value /= static_cast<uint32_t>(base);
        } while (value != 0);
        text_of(digits + at);
    }
    void println(const char *text) { text_of(text), text_of("\n"); }

private:
    static void text_of(const char *text)
    {
        while (*text != 0) {
            putchar(*text++);
        }
    }
};

static Stream Serial;

inline uint32_t millis() { return 5000; }
inline uint32_t micros() { return 0; }

void setup();
void loop();

#endif
