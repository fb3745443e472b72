/* SPDX-License-Identifier: Apache-2.0 */
/* Where a program on Linux begins, and the calls that ek_linux.c and ek_link_stdio.c make, without a C library: zig would
 * compile all of its own for each core first, which takes a minute. Numbers and registers: Linux, syscall(2). */
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

int main(void);
__attribute__((noreturn, used)) void ek_linux_main(void);

#if defined(__aarch64__)
enum { CALL_CLOSE = 57, CALL_EXIT_GROUP = 94, CALL_OPENAT = 56, CALL_READ = 63, CALL_WRITE = 64 };

__asm__(".text\n"
        ".global _start\n"
        ".type _start, %function\n"
        "_start:\n"
        "\tmov x29, #0\n"
        "\tmov x30, #0\n"
        "\tb ek_linux_main\n");

static long call(long number, long a, long b, long c, long d)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory", "cc");
    return x0;
}
#elif defined(__arm__)
enum { CALL_CLOSE = 6, CALL_EXIT_GROUP = 248, CALL_OPENAT = 322, CALL_READ = 3, CALL_WRITE = 4 };

__asm__(".text\n"
        ".global _start\n"
        ".type _start, %function\n"
        "_start:\n"
        "\tmov r11, #0\n"
        "\tmov lr, #0\n"
        "\tb ek_linux_main\n");

static long call(long number, long a, long b, long c, long d)
{
    register long r7 __asm__("r7") = number;
    register long r0 __asm__("r0") = a;
    register long r1 __asm__("r1") = b;
    register long r2 __asm__("r2") = c;
    register long r3 __asm__("r3") = d;
    __asm__ volatile("svc 0" : "+r"(r0) : "r"(r7), "r"(r1), "r"(r2), "r"(r3) : "memory", "cc");
    return r0;
}
#else
#error "ek_linux_start.c knows Arm only"
#endif

/* A C library sets errno; here a failure is any negative number. */

int open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    int mode = (flags & O_CREAT) != 0 ? va_arg(more, int) : 0;
    va_end(more);
    return (int)call(CALL_OPENAT, AT_FDCWD, (long)path, flags, mode);
}

ssize_t read(int file, void *to, size_t bytes)
{
    return (ssize_t)call(CALL_READ, file, (long)to, (long)bytes, 0);
}

ssize_t write(int file, const void *from, size_t bytes)
{
    return (ssize_t)call(CALL_WRITE, file, (long)from, (long)bytes, 0);
}

int close(int file)
{
    return (int)call(CALL_CLOSE, file, 0, 0, 0);
}

__attribute__((noreturn)) void exit(int status)
{
    for (;;) {
        (void)call(CALL_EXIT_GROUP, status, 0, 0, 0);
    }
}

void ek_linux_main(void)
{
    exit(main());
}
