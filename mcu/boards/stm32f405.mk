# STM32F405RG (ST DS8626): 1 MB flash; 112 + 16 KB SRAM in one piece. Its 64 KB of CCM are left alone. QEMU 7.2
# (netduinoplus2) gives it 192 KB of SRAM and no CCM: only this file keeps a program to what the part has.
# Without a debug probe text leaves by USART3, pin PB10: TX on the Feather STM32F405.
CORE   := cortex-m4
FLASH  := 0x08000000 1024K
RAM    := 0x20000000 128K
SERIAL := stm32f4 USART=0x40004800 USART_CLOCK_BIT=18 GPIO=0x40020400 GPIO_CLOCK_BIT=1 PIN=10
