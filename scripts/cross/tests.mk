# The tests on other machines: musl on this processor, and aarch64 in an emulator.
MUSL_BUILD := $(BUILD)/musl
MUSL_CC    := $(abspath $(ZIG_DIRECTORY))/bin/python -m ziglang cc -target $(ARCH)-linux-musl
musl_make   = $(MAKE) --no-print-directory BUILD=$(MUSL_BUILD) TARGET=$(ARCH)-linux-musl SCREEN=ansi DENSE= WERROR= \
              CC="$(MUSL_CC) -dynamic" CFLAGS="-isystem $(abspath $(MUSL_BUILD))/libs/include -L$(abspath $(MUSL_BUILD))/libs/lib"
MUSL_TESTS := $(notdir $(TESTS))

.PHONY: check-musl
check-musl: zig
	$(Q)sh scripts/cross/musl.sh
	$(Q)sh scripts/cross/testlibs.sh $(MUSL_BUILD)/libs $(MUSL_CC)
	+$(Q)$(musl_make) test-build
	$(Q)BUILD=$(MUSL_BUILD) sh tests/run.sh $(MUSL_TESTS:%=$(MUSL_BUILD)/tests/%)
