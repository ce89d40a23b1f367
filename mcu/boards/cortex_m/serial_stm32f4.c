/* STM32F4 (ST RM0090): one USART's transmitter on one pin, at the clock the chip wakes up with, 16 MHz HSI.
 * Which USART and pin, the board's .mk says: USART, GPIO (base addresses), their clock bits and PIN. */
#include "serial_board.h"
#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define RCC_AHB1ENR REGISTER(0x40023830u)
#define RCC_APB1ENR REGISTER(0x40023840u)
#define GPIO_MODER REGISTER(GPIO)
#define GPIO_AFR REGISTER(GPIO + 0x20u + 4u * (PIN / 8u))
#define USART_SR REGISTER(USART)
#define USART_DR REGISTER(USART + 0x04u)
#define USART_BRR REGISTER(USART + 0x08u)
#define USART_CR1 REGISTER(USART + 0x0Cu)

#define HSI_HZ 16000000u
#define BAUD 115200u
#define ALTERNATE_FUNCTION 7u /* USART1 to USART3 */

void serial_start(void) {
    RCC_AHB1ENR |= 1u << GPIO_CLOCK_BIT;
    RCC_APB1ENR |= 1u << USART_CLOCK_BIT;
    GPIO_AFR = (GPIO_AFR & ~(15u << 4u * (PIN % 8u))) | ALTERNATE_FUNCTION << 4u * (PIN % 8u);
    GPIO_MODER = (GPIO_MODER & ~(3u << 2u * PIN)) | 2u << 2u * PIN;
    USART_BRR = (HSI_HZ + BAUD / 2u) / BAUD;
    USART_CR1 = 1u << 13 | 1u << 3; /* UE, TE */
}

void serial_put(char letter) {
    while (!(USART_SR & 1u << 7)) { /* TXE */
    }
    USART_DR = (uint8_t)letter;
}
