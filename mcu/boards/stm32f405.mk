# STM32F405RG (ST DS8626), as on the Netduino Plus 2 and the Feather STM32F405: 1 MB flash; 112 + 16 KB SRAM in one piece. Its 64 KB of CCM are left alone.
# QEMU 7.2 (netduinoplus2) gives it 192 KB of SRAM and no CCM: only this line keeps a program to what the part has.
CORE  := cortex-m4
FLASH := 0x08000000 1024K
RAM   := 0x20000000 128K
