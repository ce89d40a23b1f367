# Arm MPS2 with image AN385 (Arm DAI 0385): as mps2-an386, with a Cortex-M3.
CORE  := cortex-m3
FLASH := 0x00000000 4096K
RAM   := 0x20000000 4096K
