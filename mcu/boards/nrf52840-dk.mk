# Nordic nRF52840 DK (Product Specification v1.7)
CORE  := cortex-m4
FLASH := 0x00000000 1024K
RAM   := 0x20000000 256K
