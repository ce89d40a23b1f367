# What mcu/Makefile builds of the firmware that takes updates, and what it must be told.
PRODUCT ?= model
ifeq ($(CONTROLLER),)
  $(error BOARD=$(BOARD) cannot be updated: boards/$(BOARD).mk sets no CONTROLLER of its flash)
endif
ifeq ($(wildcard $(DIR)/sqz_update.c),)
  $(error DIR=$(DIR) is no program whose model can be updated: compile it with --weights slot)
endif
ifneq ($(shell printf %s '$(SLOT_KB)' | sed 's/^[1-9][0-9]*$$/KB/'),KB)
  $(error SLOT_KB=$(SLOT_KB) is no size of a slot: expected KB in digits, whole sectors of the flash)
endif
ifneq ($(shell printf %s '$(KEY)' | tr -d '\n' | sed 's/[0-9a-f]\{64\}/key/'),key)
  $(error KEY is no public key: expected 64 hex digits, as `python -m sqz_tf.update keygen` says)
endif
ifeq ($(SODIUM)$(VERIFY),)
  $(error nothing checks signatures: expected SODIUM=FOLDER, libsodium's src/libsodium, or VERIFY=FILE.c)
endif
ifeq ($(VERIFY)$(wildcard $(SODIUM)/crypto_sign/ed25519/ref10/open.c),)
  $(error SODIUM=$(SODIUM) holds no sources of libsodium: expected its folder src/libsodium)
endif
BOARD_C += $(HERE)boards/cortex_m/flash_$(firstword $(CONTROLLER)).c
CFLAGS  += $(addprefix -D,$(wordlist 2,99,$(CONTROLLER))) -DSQZ_SLOT_KB=$(SLOT_KB)u -DSQZ_UPDATE_PRODUCT='"$(PRODUCT)"' \
           -DSQZ_UPDATE_KEY=$(shell printf %s '$(KEY)' | sed 's/../0x&,/g')
ROOM    := $(if $(SLOTS),,-2*$(SLOT_KB)K)# at its end
SODIUM_C := $(addprefix $(SODIUM)/,crypto_sign/ed25519/ref10/open.c crypto_sign/ed25519/ref10/sign.c crypto_hash/sha512/cp/hash_sha512_cp.c \
            crypto_core/ed25519/ref10/ed25519_ref10.c crypto_verify/verify.c sodium/utils.c)
VERIFY_O := $(if $(VERIFY),$(OUT)/objects/verify/yours.o,$(OUT)/objects/firmware/update/sodium.o \
            $(patsubst $(SODIUM)/%.c,$(OUT)/objects/verify/%.o,$(SODIUM_C)))
