# build/heaplog: the command. Unlike the library it is an ordinary program: stdio, malloc and libbsd are at home here.
HEAPLOG   := $(BUILD)/heaplog
CLI_SRC   := $(wildcard src/cli/*.c)
CLI_OBJ   := $(patsubst %,$(BUILD)/%.o,$(CLI_SRC) $(MEASURE) $(RECORD))
CLI_LIBS  := -lbsd -lm
BINDIR    ?= $(PREFIX)/bin

all test-build: $(HEAPLOG)
$(HEAPLOG): $(CLI_OBJ)
	$(if $(Q),@echo "  LINK  $@")
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $(CLI_OBJ) $(CLI_LIBS)

# Tests of the command run it, or call its parts.
$(BUILD)/tests/test_cli_%: $(HEAPLOG)
$(BUILD)/tests/test_cli_%: TEST_LIBS = $(patsubst %,$(BUILD)/%.o,$(filter-out src/cli/main.c,$(CLI_SRC))) $(CLI_LIBS)

.PHONY: install-cli uninstall-cli
install: install-cli
uninstall: uninstall-cli
install-cli: $(HEAPLOG)
	install -d $(DESTDIR)$(BINDIR)
	install -m 755 $(HEAPLOG) $(DESTDIR)$(BINDIR)/heaplog
uninstall-cli:
	rm -f $(DESTDIR)$(BINDIR)/heaplog
