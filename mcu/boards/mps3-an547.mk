# Arm MPS3 with image AN547 (Arm DAI 0547): program in ITCM, weights in SRAM, data in DTCM.
CORE    := cortex-m55
FLASH   := 0x00000000 512K
WEIGHTS := 0x01000000 2048K
RAM     := 0x20000000 512K
