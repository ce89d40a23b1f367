# TI Stellaris LM3S6965 Evaluation Board (SPMS112)
CORE  := cortex-m3
FLASH := 0x00000000 256K
RAM   := 0x20000000 64K
