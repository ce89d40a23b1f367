# Arm MPS2+ with image AN505 (Arm DAI 0505), Cortex-M33, in the secure state: SSRAM 1 holds the program, SSRAM 2 and 3 the data.
CORE  := cortex-m33
FLASH := 0x10000000 4096K
RAM   := 0x38000000 4096K
