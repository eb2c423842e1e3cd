# heaplog. Plain GNU make; every variable that you may set:
#   CC=gcc            compiler (gcc or clang)
#   CFLAGS            your own flags, after ours
#   BUILD=build       where everything that is made goes
#   PREFIX=/usr/local DESTDIR=   where `make install` puts things
#   LIBDIR=$(PREFIX)/lib PKGCONFIGDIR=$(LIBDIR)/pkgconfig
#   WERROR=-Werror    empty: warnings do not stop the build
#   V=1               show the commands
#   NX="20 22 24"     which majors of Nx `make e2e` drives
CC      ?= gcc
BUILD   ?= build
PREFIX  ?= /usr/local
LIBDIR  ?= $(PREFIX)/lib
PKGCONFIGDIR ?= $(LIBDIR)/pkgconfig
WERROR  ?= -Werror
NX      ?= 20 22 24
comma   := ,
Q       := $(if $(V),,@)
VERSION := $(shell sed -n 's/^.define HEAPLOG_VERSION "\(.*\)"/\1/p' include/heaplog.h)

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wmissing-prototypes -Wstrict-prototypes \
            -Wwrite-strings -Wformat=2 -Wimplicit-fallthrough $(WERROR)
# -U_FORTIFY_SOURCE: a *_chk import would make the library fatal in a musl process ("Error relocating").
COMMON   := -std=c11 -D_GNU_SOURCE -U_FORTIFY_SOURCE -O2 -g -fPIC -fvisibility=hidden -fno-strict-aliasing \
            -ftls-model=initial-exec -Iinclude -Isrc $(WARNINGS)
ALL_CFLAGS = $(COMMON) $(SANITIZE) $(CFLAGS)

MEASURE := $(wildcard src/measure/*.c)
RECORD  := $(wildcard src/record/*.c)
TASK    := $(wildcard src/task/*.c)
# What a process comes to as it starts stands together, on as few pages as may be: code, and the variables behind it.
FIRST   := $(patsubst %,src/preload/%.c,symbols real settings runtime)
PRELOAD := $(filter $(wildcard src/preload/*.c),$(FIRST)) $(filter-out $(FIRST),$(wildcard src/preload/*.c))
TARGET  := $(shell $(CC) -dumpmachine 2>/dev/null)
ARCH    := $(firstword $(subst -, ,$(TARGET)))
MACHINE := $(ARCH)$(if $(findstring musl,$(TARGET)),-musl)$(if $(findstring gnu.,$(TARGET)),-glibc$(lastword $(subst gnu., ,$(TARGET))))
# Fewer pages, and none of the compiler's start files, of which C needs nothing: a process's start is 0.6 % shorter. Not
# every compiler knows them (zig does not).
DENSE   ?= -Wl,-z,noseparate-code -nostartfiles
VFORK   := $(wildcard src/preload/vfork_$(ARCH).S)
LIB_SRC := $(PRELOAD) $(TASK) $(MEASURE) $(RECORD) $(VFORK)
LIB_OBJ := $(patsubst %,$(BUILD)/%.o,$(LIB_SRC))
LIB     := $(BUILD)/libheaplog.so

# Every tests/test_<topic>.c is a cmocka program; tests/helper_*.c are programs that tests run.
TESTS    := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/test_*.c))
TEST_OBJ := $(BUILD)/tests/torture.c.o $(BUILD)/tests/fake_proc.c.o
HELPERS  := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/helper_*.c))
PURE_OBJ := $(patsubst %,$(BUILD)/%.o,$(MEASURE) $(RECORD) $(TASK) $(addprefix src/preload/,nx.c annotate.c cause.c plain.c table.c))

# A linker that fails may leave an empty file.
.DELETE_ON_ERROR:
.PHONY: all check test-build check-asan check-ubsan check-tsan check-valgrind e2e symbols install uninstall format lint clean quickstart
.SECONDARY:
all: $(LIB)

$(BUILD)/%.c.o: %.c Makefile
	@mkdir -p $(@D)
	$(if $(Q),@echo "  CC    $<")
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@
$(BUILD)/%.S.o: %.S
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -c $< -o $@

# The version script: only posix_spawn needs versions (scripts/symbols.sh says why); all else is exported unversioned.
$(BUILD)/libheaplog.map: src/preload/symbols.def scripts/symbols.sh
	@mkdir -p $(@D)
	$(Q)sh scripts/symbols.sh map $(MACHINE) > $@

$(LIB): $(LIB_OBJ) $(BUILD)/libheaplog.map
	$(if $(Q),@echo "  LINK  $@")
	$(Q)$(CC) $(ALL_CFLAGS) -shared -o $@ $(LIB_OBJ) -Wl,-soname,libheaplog.so -Wl,--version-script=$(BUILD)/libheaplog.map \
	  -Wl,-z,nodelete -Wl,-z,lazy $(DENSE) -Wl,-z,relro -Wl,-z,noexecstack \
	  -Wl,-z,defs -Wl,--as-needed -Wl,--gc-sections

$(BUILD)/tests/test_%: tests/test_%.c $(TEST_OBJ) $(PURE_OBJ) $(LIB)
	@mkdir -p $(@D)
	$(if $(Q),@echo "  TEST  $@")
	$(Q)$(CC) $(ALL_CFLAGS) -Itests -MMD -MP -o $@ $< $(TEST_OBJ) $(PURE_OBJ) $(TEST_LIBS) -lcmocka -lpthread
$(BUILD)/tests/%.c.o: tests/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests -MMD -MP -c $< -o $@
$(BUILD)/tests/helper_%: tests/helper_%.c $(LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -fPIC,$(ALL_CFLAGS)) -Itests -o $@ $< $(if $(LINK_RUNNER),-Wl$(comma)--no-as-needed $(LIB) -Wl$(comma)-rpath$(comma)$(abspath $(BUILD))) -lpthread -ldl

$(BUILD)/examples/formatter: examples/formatter.c include/heaplog.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -fPIC,$(ALL_CFLAGS)) -o $@ $<

test-build: $(LIB) $(TESTS) $(HELPERS) $(BUILD)/examples/formatter
# Quick: all cmocka programs.
check: test-build
	$(Q)BUILD=$(BUILD) sh tests/run.sh $(TESTS)
check-asan:
	$(Q)BUILD=build-asan SANITIZE="-fsanitize=address -fno-omit-frame-pointer" SANITIZER=asan sh tests/sanitized.sh
check-ubsan:
	$(Q)BUILD=build-ubsan SANITIZE="-fsanitize=undefined -fno-sanitize-recover=all" SANITIZER=ubsan sh tests/sanitized.sh
check-tsan:
	$(Q)BUILD=build-tsan SANITIZE="-fsanitize=thread -Wno-tsan" SANITIZER=tsan sh tests/sanitized.sh
check-valgrind: test-build
	$(Q)BUILD=$(BUILD) SANITIZER=valgrind sh tests/sanitized.sh
e2e: $(LIB)
	$(Q)BUILD=$(BUILD) sh tests/e2e/run.sh $(NX)
quickstart: $(LIB)
	$(Q)sh scripts/quickstart.sh
# The exported names, what is imported, and what is needed, against symbols.def.
symbols: $(LIB)
	$(Q)sh scripts/symbols.sh check $(MACHINE) $(LIB)

install: $(LIB)
	install -d $(DESTDIR)$(LIBDIR) $(DESTDIR)$(PKGCONFIGDIR) $(DESTDIR)$(PREFIX)/include
	install -m 755 $(LIB) $(DESTDIR)$(LIBDIR)/libheaplog.so
	install -m 644 include/heaplog.h $(DESTDIR)$(PREFIX)/include/heaplog.h
	sed 's|@PREFIX@|$(PREFIX)|;s|@LIBDIR@|$(LIBDIR)|;s|@VERSION@|$(VERSION)|' scripts/heaplog.pc.in > $(DESTDIR)$(PKGCONFIGDIR)/heaplog.pc
uninstall:
	rm -f $(DESTDIR)$(LIBDIR)/libheaplog.so $(DESTDIR)$(PREFIX)/include/heaplog.h $(DESTDIR)$(PKGCONFIGDIR)/heaplog.pc

SOURCES := $(wildcard src/*/*.[ch] include/*.h tests/*.[ch] examples/*.c)
format:
	clang-format -i $(SOURCES)
lint:
	clang-format --dry-run --Werror $(SOURCES)
	cppcheck --quiet --std=c11 --enable=warning,performance,portability --error-exitcode=1 --inline-suppr \
	  --suppress=allocaCalled "-DElfW(type)=Elf64_\#\#type" -Iinclude -Isrc src
	clang-tidy --quiet $(filter-out %.S,$(LIB_SRC)) $(CLI_SRC) -- -std=c11 -D_GNU_SOURCE -Iinclude -Isrc -I$(BUILD)/src
	shellcheck scripts/*.sh scripts/*/*.sh tests/*.sh tests/e2e/*.sh .ci/run
clean:
	rm -rf $(BUILD) build-asan build-ubsan build-tsan build-helgrind

# Targets that belong to one room stand in that room: src/cli/cli.mk, scripts/package/package.mk and so on.
include $(wildcard src/*/*.mk tests/*/*.mk scripts/*/*.mk)
-include $(shell find $(BUILD) -maxdepth 1 -type d \( -name src -o -name tests -o -name examples \) -exec find {} -type f -name '*.d' \; 2>/dev/null)
