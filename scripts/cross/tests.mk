# The tests on other machines: musl on this processor, and aarch64 in an emulator.
MUSL_BUILD := $(BUILD)/musl
MUSL_CC    := $(ZIG_CC) -target $(ARCH)-linux-musl
musl_make   = $(MAKE) --no-print-directory BUILD=$(MUSL_BUILD) TARGET=$(ARCH)-linux-musl SCREEN=ansi DENSE= WERROR= \
              CC="$(MUSL_CC) -dynamic" CFLAGS="-isystem $(abspath $(MUSL_BUILD))/libs/include -L$(abspath $(MUSL_BUILD))/libs/lib"
# What is left out, and why, stands in musl.skip and qemu.skip.
left_out    = $(shell sh scripts/cross/skip.sh $(1) scripts/cross/$(2).skip)$(if $(filter-out 0,$(.SHELLSTATUS)),$(error scripts/cross/$(2).skip))
MUSL_TESTS ?= $(filter-out $(call left_out,programs,musl),$(notdir $(TESTS)))

.PHONY: check-musl
check-musl: zig
	$(Q)bash scripts/cross/musl.sh install
	$(Q)sh scripts/cross/testlibs.sh $(MUSL_BUILD)/libs $(MUSL_CC)
	$(Q)sh scripts/cross/busybox.sh $(MUSL_BUILD)/userland $(MUSL_CC) -dynamic
	+$(Q)$(musl_make) test-build
	$(Q)BUILD=$(MUSL_BUILD) TORTURE_SKIP="$(call left_out,tests,musl)" bash scripts/cross/musl.sh run $(MUSL_TESTS)

# With Debian's cross compiler and its C library, in qemu's user emulation. That is entered through binfmt_misc in a
# namespace of our own, so that nothing is registered on the machine.
QEMU_BUILD := $(BUILD)/qemu
qemu_make   = $(MAKE) --no-print-directory BUILD=$(QEMU_BUILD) CC=aarch64-linux-gnu-gcc SCREEN=ansi \
              CFLAGS="-isystem $(abspath $(QEMU_BUILD))/libs/include -L$(abspath $(QEMU_BUILD))/libs/lib"
QEMU_TESTS ?= $(filter-out $(call left_out,programs,qemu),$(notdir $(TESTS)))

.PHONY: check-qemu
check-qemu:
	$(Q)bash scripts/cross/qemu.sh install
	$(Q)sh scripts/cross/testlibs.sh $(QEMU_BUILD)/libs aarch64-linux-gnu-gcc
	+$(Q)$(qemu_make) test-build
	$(Q)BUILD=$(QEMU_BUILD) HEAPLOG_EMULATED=1 TORTURE_SKIP="$(call left_out,tests,qemu)" bash scripts/cross/qemu.sh run $(QEMU_TESTS)

# Tasks of another word size, which the usual compiler here does not make.
.PHONY: check-32
check-32: zig test-build
	$(Q)HEAPLOG_ZIG="$(ZIG_CC)" BUILD=$(BUILD) sh tests/run.sh $(BUILD)/tests/test_foreign
