# The tests on other machines: musl on this processor, and aarch64 in an emulator.
MUSL_BUILD := $(BUILD)/musl
MUSL_CC    := $(abspath $(ZIG_DIRECTORY))/bin/python -m ziglang cc -target $(ARCH)-linux-musl
musl_make   = $(MAKE) --no-print-directory BUILD=$(MUSL_BUILD) TARGET=$(ARCH)-linux-musl SCREEN=ansi DENSE= WERROR= \
              CC="$(MUSL_CC) -dynamic" CFLAGS="-isystem $(abspath $(MUSL_BUILD))/libs/include -L$(abspath $(MUSL_BUILD))/libs/lib"
MUSL_TESTS ?= $(notdir $(filter-out %/test_exactness %/test_runners %/test_foreign %/test_oom,$(TESTS)))
# What cannot be shown on a machine whose own programs are glibc's. A musl library kills these, as any foreign one would:
# the four above and the first rows preload it into sh, env, grep, make, npm; a task of such a program is stripped and
# therefore has no exact mode. The last row: the words of glibc's getopt and strerror; and a single-threaded runner that
# waits in a handler gets fewer figures (seen: one of three).
MUSL_SKIP  := test_no_task_no_file test_command test_environment test_cannot_run test_inherited test_layouts test_off \
              test_settings test_starved test_status test_cleared_environment test_foreign_programs test_limits test_ends \
              test_reused test_threads test_traced test_unshare test_closing test_forked test_coresident_libraries \
              test_daemon_is_left_alone test_descriptor_table test_malformed_values test_not_a_runner test_other_preloads \
              test_taken_away \
              unreadable_input wrong_usage test_handler_allocates_nothing

.PHONY: check-musl
check-musl: zig
	$(Q)sh scripts/cross/musl.sh
	$(Q)sh scripts/cross/testlibs.sh $(MUSL_BUILD)/libs $(MUSL_CC)
	+$(Q)$(musl_make) test-build
	$(Q)BUILD=$(MUSL_BUILD) TORTURE_SKIP="$(MUSL_SKIP)" sh tests/run.sh $(MUSL_TESTS:%=$(MUSL_BUILD)/tests/%)

# With Debian's cross compiler and its C library, in qemu's user emulation. That is entered through binfmt_misc in a
# namespace of our own, so that nothing is registered on the machine.
QEMU_BUILD := $(BUILD)/qemu
qemu_make   = $(MAKE) --no-print-directory BUILD=$(QEMU_BUILD) CC=aarch64-linux-gnu-gcc SCREEN=ansi \
              CFLAGS="-isystem $(abspath $(QEMU_BUILD))/libs/include -L$(abspath $(QEMU_BUILD))/libs/lib"
# Left out, since they are about what the emulator changes: programs of this machine (sh, env, make) run as themselves, and
# their loader is told of a library that it cannot load (doctor, run, top, foreign, runners, live, limits); the emulator's own
# threads, signals, memory and descriptors are in every process (exact, exactness, hostile, orphans, oom).
QEMU_TESTS ?= $(notdir $(filter-out $(addprefix %/test_,cli_doctor cli_run cli_top exact exactness foreign hostile limits live oom \
              orphans runners),$(TESTS)))
# The same of single tests. Of the last row: vfork is a fork in the emulator, and a spawner's memory the emulator's.
QEMU_SKIP  := test_coresident_libraries test_daemon_is_left_alone test_descriptor_table test_environment_of_task \
              test_malformed_values test_off test_other_preloads test_many_tasks test_no_task_no_file \
              test_handler_allocates_nothing test_readonly test_small_stack test_carry_over test_warn

.PHONY: check-qemu
check-qemu:
	$(Q)bash scripts/cross/qemu.sh install
	$(Q)sh scripts/cross/testlibs.sh $(QEMU_BUILD)/libs aarch64-linux-gnu-gcc
	+$(Q)$(qemu_make) test-build
	$(Q)BUILD=$(QEMU_BUILD) HEAPLOG_EMULATED=1 TORTURE_SKIP="$(QEMU_SKIP)" bash scripts/cross/qemu.sh run $(QEMU_TESTS)

# Tasks of another word size, which the usual compiler here does not make.
.PHONY: check-32
check-32: zig test-build
	$(Q)HEAPLOG_ZIG="$(abspath $(ZIG_DIRECTORY))/bin/python -m ziglang cc" BUILD=$(BUILD) sh tests/run.sh $(BUILD)/tests/test_foreign
