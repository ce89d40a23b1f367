# BBC micro:bit v2 (nRF52833 Product Specification v1.5)
CORE  := cortex-m4
FLASH := 0x00000000 512K
RAM   := 0x20000000 128K
