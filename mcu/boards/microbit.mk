# BBC micro:bit v1 (nRF51822 Product Specification v3.1, variant QFAA), without a SoftDevice
CORE  := cortex-m0
FLASH := 0x00000000 256K
RAM   := 0x20000000 16K
CONTROLLER := nrf51
