# For other machines than this one, by zig: `make cross` builds and checks the library and the command for all of them.
# What comes out stands alone: the oldest glibc of the distributions that are still run, or musl, or macOS's libSystem.
ZIG_VERSION   := 0.17.1
ZIG_DIRECTORY := $(BUILD)/zig
CROSS_LINUX   := x86_64-linux-gnu.2.17 aarch64-linux-gnu.2.17 x86_64-linux-musl aarch64-linux-musl
CROSS_TARGETS := $(CROSS_LINUX)
CROSS         := $(BUILD)/cross
# make with the compiler for machine $(1)
cross_make     = $(MAKE) --no-print-directory BUILD=$(CROSS)/$(1) TARGET=$(1) SCREEN=ansi DENSE= PREFIX=/usr \
                 CC="$(abspath $(ZIG_DIRECTORY))/bin/python -m ziglang cc -target $(1)" CFLAGS="$(CFLAGS) -g0 -s"

.PHONY: cross zig $(addprefix cross-,$(CROSS_TARGETS))
cross: $(addprefix cross-,$(CROSS_TARGETS))
zig:
	$(Q)sh scripts/cross/zig.sh $(ZIG_DIRECTORY) $(ZIG_VERSION)
$(addprefix cross-,$(CROSS_TARGETS)): cross-%: zig
	+$(Q)$(call cross_make,$*) all
	+$(Q)$(call cross_make,$*) symbols
	$(Q)sh scripts/cross/check.sh $* $(CROSS)/$*/heaplog
