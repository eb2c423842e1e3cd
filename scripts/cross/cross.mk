# For other machines than this one, by zig: `make cross` builds and checks the library and the command for all of them.
# What comes out stands alone: the oldest glibc of the distributions that are still run, or musl, or macOS's libSystem.
ZIG_VERSION   := 0.17.1
ZIG_DIRECTORY := $(BUILD)/zig
CROSS_LINUX   := x86_64-linux-gnu.2.17 aarch64-linux-gnu.2.17 x86_64-linux-musl aarch64-linux-musl
CROSS_MACOS   := x86_64-macos.11.0 aarch64-macos.11.0
CROSS_TARGETS := $(CROSS_LINUX) $(CROSS_MACOS)
CROSS         := $(BUILD)/cross
ZIG_CC        := '$(abspath $(ZIG_DIRECTORY))/bin/python' -m ziglang cc
# make with the compiler for machine $(1)
cross_make     = $(MAKE) --no-print-directory BUILD=$(CROSS)/$(1) TARGET=$(1) SCREEN=ansi DENSE= PREFIX=/usr \
                 CC="$(ZIG_CC) -target $(1)" CFLAGS="$(CFLAGS) -g0 -s"

.PHONY: cross zig cross-macos $(addprefix cross-,$(CROSS_TARGETS))
cross: $(addprefix cross-,$(CROSS_LINUX)) cross-macos
zig:
	$(Q)sh scripts/cross/zig.sh $(ZIG_DIRECTORY) $(ZIG_VERSION)
$(addprefix cross-,$(CROSS_LINUX)): cross-%: zig
	+$(Q)$(call cross_make,$*) all
	+$(Q)$(call cross_make,$*) symbols
	$(Q)sh scripts/cross/check.sh $* $(CROSS)/$*/heaplog
$(addprefix cross-,$(CROSS_MACOS)): cross-%: zig
	+$(Q)$(call cross_make,$*) macos
	$(Q)python3 scripts/cross/macho.py library $(CROSS)/$*/libheaplog.dylib src/preload/symbols.def
	$(Q)python3 scripts/cross/macho.py program $(CROSS)/$*/heaplog-macos
# Both processors in one file: a library of the other one would keep a program from starting.
cross-macos: $(addprefix cross-,$(CROSS_MACOS))
	@mkdir -p $(CROSS)/macos
	$(Q)python3 scripts/cross/macho.py fat $(CROSS)/macos/libheaplog.dylib $(CROSS_MACOS:%=$(CROSS)/%/libheaplog.dylib)
	$(Q)python3 scripts/cross/macho.py fat $(CROSS)/macos/heaplog $(CROSS_MACOS:%=$(CROSS)/%/heaplog-macos)
	@chmod 755 $(CROSS)/macos/heaplog $(CROSS)/macos/libheaplog.dylib
