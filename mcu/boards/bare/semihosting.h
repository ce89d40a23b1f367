/* Calls a debugger or emulator answers (Arm, "Semihosting for AArch32 and AArch64", 2024; RISC-V International, "RISC-V
 * Semihosting", 2024).
 *
 * Without one attached each call fails with −1: startup.c steps over the breakpoint. */
#ifndef SQZ_SEMIHOSTING_H
#define SQZ_SEMIHOSTING_H
#include <stdint.h>

enum {
    SEMIHOSTING_OPEN = 0x01,
    SEMIHOSTING_WRITE = 0x05,
    SEMIHOSTING_READ = 0x06,
    SEMIHOSTING_EXIT_EXTENDED = 0x20
};

enum { SEMIHOSTING_READ_BINARY = 1, SEMIHOSTING_WRITE_TEXT = 4 }; /* modes of OPEN */

#define SEMIHOSTING_APPLICATION_EXIT 0x20026u
#define SEMIHOSTING_CONSOLE ":tt"

#if defined(__riscv)
/* Three instructions of four bytes each make a call of a breakpoint; they must not lie on two pages. */
static inline int32_t semihosting(uint32_t operation, const void *arguments) {
    register uint32_t a0 __asm__("a0") = operation;
    register const void *a1 __asm__("a1") = arguments;
    __asm__ volatile(".balign 16\n\t.option push\n\t.option norvc\n\t"
                     "slli zero, zero, 0x1f\n\tebreak\n\tsrai zero, zero, 7\n\t"
                     ".option pop"
                     : "+r"(a0), "+r"(a1)
                     :
                     : "memory", "ra", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a2", "a3", "a4", "a5", "a6", "a7");
    return (int32_t)a0;
}
#else
static inline int32_t semihosting(uint32_t operation, const void *arguments) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
}
#endif
#endif
