# SiFive HiFive1 Rev B (FE310-G002 Manual v1p5): QSPI flash behind the boot loader, and the DTIM. QEMU's sifive_e has 512 MB
# of flash: only this file keeps a program to what the board has.
CORE  := riscv32imac
FLASH := 0x20010000 4032K
RAM   := 0x80000000 16K
