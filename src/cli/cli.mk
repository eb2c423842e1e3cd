# build/heaplog: the command. Unlike the library it is an ordinary program: stdio and malloc are at home here.
HEAPLOG   := $(BUILD)/heaplog
# SCREEN: what `heaplog top` draws with. curses, or ansi, which needs no library (src/cli/screen.h).
SCREEN    ?= curses
CLI_SRC   := $(filter-out $(filter-out %_$(SCREEN).c,$(wildcard src/cli/screen_*.c)),$(wildcard src/cli/*.c))
CLI_OBJ   := $(patsubst %,$(BUILD)/%.o,$(CLI_SRC) $(TASK) $(MEASURE) $(RECORD))
CLI_LIBS  := -lm $(if $(filter curses,$(SCREEN)),-lncursesw -ltinfo)
BINDIR    ?= $(PREFIX)/bin
DATADIR   ?= $(PREFIX)/share
MANDIR    ?= $(DATADIR)/man
MAN       := $(wildcard src/cli/man/*.[17])

# Where `make install` puts the library: the last place where the command looks for it.
$(BUILD)/src/cli/library.c.o: override CFLAGS += -DHEAPLOG_LIBDIR='"$(LIBDIR)"'
# `make && make install LIBDIR=...` is two calls: where it is another one now, that file is made again.
$(BUILD)/src/cli/library.c.o: $(BUILD)/libdir
.PHONY: libdir
$(BUILD)/libdir: libdir
	@mkdir -p $(@D)
	@[ "$$(cat $@ 2>/dev/null)" = '$(LIBDIR)' ] || printf '%s\n' '$(LIBDIR)' >$@

all test-build: $(HEAPLOG)
$(HEAPLOG): $(CLI_OBJ)
	$(if $(Q),@echo "  LINK  $@")
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $(CLI_OBJ) $(CLI_LIBS)

# The page of `report --format html` as lines of C: the style and the script in their places, each line a string.
PAGE := $(BUILD)/src/cli/html/lines.h
$(PAGE): src/cli/html/page.html src/cli/html/page.css src/cli/html/page.js src/cli/cli.mk
	@mkdir -p $(@D)
	$(Q)sed -e '/^@STYLE@$$/{' -e 'r src/cli/html/page.css' -e d -e '}' \
	  -e '/^@SCRIPT@$$/{' -e 'r src/cli/html/page.js' -e d -e '}' $< | \
	  sed -e 's/[\\"]/\\&/g' -e 's/^/"/' -e 's/$$/",/' >$@
$(BUILD)/src/cli/report_html.c.o: $(PAGE)
$(BUILD)/src/cli/report_html.c.o: COMMON += -I$(BUILD)/src

# Tests of the command run it, or call its parts.
$(filter $(BUILD)/tests/test_cli_%,$(TESTS)): $(HEAPLOG)
$(BUILD)/tests/test_cli_top: override CFLAGS += $(if $(filter curses,$(SCREEN)),-DSCREEN_CURSES)
$(BUILD)/tests/test_cli_%: TEST_LIBS = $(patsubst %,$(BUILD)/%.o,$(filter-out src/cli/main.c,$(CLI_SRC))) $(CLI_LIBS) $(if $(filter %test_cli_json %test_cli_report,$@),-ljansson)

.PHONY: install-cli uninstall-cli
install: install-cli
uninstall: uninstall-cli
install-cli: $(HEAPLOG)
	install -d $(DESTDIR)$(BINDIR)
	install -m 755 $(HEAPLOG) $(DESTDIR)$(BINDIR)/heaplog
	install -d $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man7
	install -m 644 $(filter %.1,$(MAN)) $(DESTDIR)$(MANDIR)/man1
	install -m 644 $(filter %.7,$(MAN)) $(DESTDIR)$(MANDIR)/man7
	install -d $(addprefix $(DESTDIR)$(DATADIR)/,bash-completion/completions zsh/site-functions fish/vendor_completions.d)
	install -m 644 src/cli/completions/heaplog.bash $(DESTDIR)$(DATADIR)/bash-completion/completions/heaplog
	install -m 644 src/cli/completions/_heaplog $(DESTDIR)$(DATADIR)/zsh/site-functions/_heaplog
	install -m 644 src/cli/completions/heaplog.fish $(DESTDIR)$(DATADIR)/fish/vendor_completions.d/heaplog.fish
uninstall-cli:
	rm -f $(DESTDIR)$(BINDIR)/heaplog $(addprefix $(DESTDIR)$(MANDIR)/man1/,$(notdir $(filter %.1,$(MAN)))) \
	  $(addprefix $(DESTDIR)$(MANDIR)/man7/,$(notdir $(filter %.7,$(MAN)))) \
	  $(DESTDIR)$(DATADIR)/bash-completion/completions/heaplog $(DESTDIR)$(DATADIR)/zsh/site-functions/_heaplog \
	  $(DESTDIR)$(DATADIR)/fish/vendor_completions.d/heaplog.fish

# A task runner that no preload reaches. Never sanitized: their runtimes cannot be linked statically.
STATIC_RUNNER := $(BUILD)/tests/helper_runner_static
test-build: $(STATIC_RUNNER)
$(BUILD)/tests/test_cli_run $(BUILD)/tests/test_cli_doctor_command: $(STATIC_RUNNER)
$(STATIC_RUNNER): tests/helper_runner.c
	@mkdir -p $(@D)
	$(if $(Q),@echo "  TEST  $@")
	$(Q)$(CC) $(filter-out -fPIC,$(COMMON)) -Itests -static -o $@ $<

# The manual pages, where mandoc and groff are there: a part of `make lint`.
.PHONY: lint-man
lint: lint-man $(PAGE) # clang-tidy reads what the page is compiled into
lint-man:
	$(Q)if command -v mandoc >/dev/null; then \
	  ! mandoc -Tlint $(MAN) 2>&1 | grep -vE 'mandoc.db|referenced manual not found'; \
	else echo "lint-man: mandoc is not installed"; fi
	$(Q)if command -v groff >/dev/null; then for page in $(MAN); do \
	  out=$$(groff -ww -mdoc -Tutf8 -z $$page 2>&1); [ -z "$$out" ] || { echo "$$out"; exit 1; }; done; fi

# The set-ups of `heaplog doctor`, one a line with what it said of it, and their number.
DOCTOR_TESTS := $(filter $(BUILD)/tests/test_cli_doctor%,$(TESTS))
.PHONY: check-doctor
check-doctor: $(DOCTOR_TESTS) $(STATIC_RUNNER)
	$(Q)BUILD=$(BUILD) sh tests/run.sh $(DOCTOR_TESTS) >$(BUILD)/doctor.txt 2>&1; status=$$?; \
	  sed '/^\[/d' $(BUILD)/doctor.txt; \
	  count() { grep -c "^$$1 " $(BUILD)/doctor.txt; }; \
	  echo "broken set-ups: $$(count named) named, $$(count 'NOT NAMED') not named," \
	    "$$(count 'not here') cannot be made here; sound ones: $$(count sound), with $$(count ALARM) false alarms"; \
	  exit $$status
