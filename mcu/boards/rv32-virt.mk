# QEMU's generic RISC-V machine: the program lies where the machine starts, at the beginning of its DRAM, the data behind.
CORE  := riscv32imc
FLASH := 0x80000000 4096K
RAM   := 0x80400000 4096K
