/* From reset to the first instruction in C on any Cortex-M, and its faults. */
#include "../bare/semihosting.h"
#include "../bare/start.h"
#include "../board.h"

#define BREAKPOINT_SEMIHOSTING 0xBEABu
#define CPACR (*(volatile uint32_t *)0xE000ED88u)
#define AIRCR (*(volatile uint32_t *)0xE000ED0Cu)
#define RESET_REQUEST 0x05FA0004u

extern uint32_t sqz_stack_top[]; /* from the linker script */

void sqz_reset(void);
void sqz_fault(void);
void sqz_on_fault(uint32_t *frame);

/* The processor's own exceptions; no interrupt is ever enabled. */
__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    void (*reset)(void), (*exceptions[14])(void);
} vectors = {
    sqz_stack_top,
    sqz_reset,
    {sqz_fault, sqz_fault, sqz_fault, sqz_fault, sqz_fault, sqz_fault, sqz_fault,
     sqz_fault, sqz_fault, sqz_fault, sqz_fault, sqz_fault, sqz_fault, sqz_fault},
};

void sqz_reset(void) {
    CPACR |= 0xFu << 20; /* floating-point and vector registers, where there are any */
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    sqz_start();
}

/* Every exception ends here, with the stacked registers (r0 … r3, r12, lr, pc, xpsr) as argument. */
__attribute__((naked)) void sqz_fault(void) {
    __asm__ volatile("mrs r0, msp\n\tb sqz_on_fault");
}

__attribute__((used)) void sqz_on_fault(uint32_t *frame) {
    const uint16_t *const instruction = (const uint16_t *)(uintptr_t)frame[6];
    if (*instruction == BREAKPOINT_SEMIHOSTING) { /* nobody listens: the call fails and the program goes on */
        frame[0] = UINT32_MAX;
        frame[6] += 2;
        return;
    }
    board_fault();
}

__attribute__((weak)) void board_fault(void) { board_exit(SQZ_EXIT_FAULT); }

void board_reset(void) {
    for (;;) {
        AIRCR = RESET_REQUEST;
        __asm__ volatile("dsb" ::: "memory");
    }
}
