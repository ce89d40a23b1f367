# Arm MPS2+ with image AN386 (Arm DAI 0386): ZBT SSRAM 1 holds the program, SSRAM 2 and 3 the data.
CORE  := cortex-m4
FLASH := 0x00000000 4096K
RAM   := 0x20000000 4096K
# A simulated flash with the large sectors of an STM32F405, in the PSRAM.
SLOTS := 0x21000000
CONTROLLER := simulated SECTOR=0x20000u
