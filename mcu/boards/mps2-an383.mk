# Arm MPS2 with image AN383 (Arm DAI 0383): as mps2-an386, with a Cortex-M0+.
CORE  := cortex-m0plus
FLASH := 0x00000000 4096K
RAM   := 0x20000000 4096K
