/* From reset to the first instruction in C on a 32-bit RISC-V in machine mode, and its traps. */
#include "../bare/semihosting.h"
#include "../bare/start.h"
#include "../board.h"

#define BREAKPOINT 3u                    /* of mcause */
#define BEFORE_SEMIHOSTING 0x01F01013u /* slli zero, zero, 0x1f */

void sqz_reset(void);
void sqz_trap(void);
uint32_t sqz_on_trap(uint32_t cause, uint32_t at);

/* The first instructions in flash. */
__attribute__((naked, section(".vectors"), used)) void sqz_reset(void) {
    __asm__ volatile(".option push\n\t.option arch, +zicsr\n\t"
                     "la sp, sqz_stack_top\n\t"
                     "la t0, sqz_trap\n\t"
                     "csrw mtvec, t0\n\t"
                     "j sqz_start\n\t"
                     ".option pop");
}

/* Every exception comes here; no interrupt is ever enabled. What it goes on from is a call of `semihosting`, to which all
 * of these registers but the result's are lost anyway. */
__attribute__((naked, aligned(4), used)) void sqz_trap(void) {
    __asm__ volatile(".option push\n\t.option arch, +zicsr\n\t"
                     "csrr a0, mcause\n\t"
                     "csrr a1, mepc\n\t"
                     "call sqz_on_trap\n\t"
                     "csrw mepc, a0\n\t"
                     "li a0, -1\n\t"
                     "mret\n\t"
                     ".option pop");
}

/* Nobody listens to a call of semihosting: it fails and the program goes on. Returns where. */
__attribute__((used)) uint32_t sqz_on_trap(uint32_t cause, uint32_t at) {
    if (cause != BREAKPOINT || ((const uint32_t *)(uintptr_t)at)[-1] != BEFORE_SEMIHOSTING) {
        board_exit(SQZ_EXIT_FAULT);
    }
    return at + 4;
}
