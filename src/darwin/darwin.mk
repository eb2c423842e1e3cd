# The library and the command for macOS (TARGET=...-macos...): the same files, but for those that are Linux's own.
LINUX_ONLY := $(wildcard src/measure/*_linux.c) src/measure/procfs.c src/measure/oom.c \
              $(addprefix src/preload/,board_figures.c board_file.c boards.c exact.c exact_token.c handler.c real.c registry.c stack.c symbols.c target.c wrap_thread.c) \
              $(wildcard src/cli/doctor*.c src/cli/screen_*.c src/cli/outside*.c) \
              $(addprefix src/cli/,boards.c discover.c elf.c launcher.c proc.c runner.c runner_program.c summary.c supervise.c top.c witness.c)
DARWIN_CLI := src/darwin/command.c src/darwin/doctor.c
DARWIN_LIB_OBJ := $(patsubst %,$(BUILD)/%.o,$(filter-out $(LINUX_ONLY) %.S,$(LIB_SRC)) \
                  $(filter-out $(DARWIN_CLI),$(wildcard src/darwin/*.c)))
DARWIN_CLI_OBJ := $(filter-out $(patsubst %,$(BUILD)/%.o,$(LINUX_ONLY)),$(CLI_OBJ)) $(patsubst %,$(BUILD)/%.o,$(DARWIN_CLI) src/darwin/execvpe.c src/darwin/quiet_write.c)
DYLIB      := $(BUILD)/libheaplog.dylib
# Headers that only Linux has, empty: what they would say is in platform.h.
DARWIN_HEADERS := $(addprefix $(BUILD)/linux/,link.h linux/close_range.h linux/futex.h sys/auxv.h sys/prctl.h sys/syscall.h)

.PHONY: macos
macos: $(DYLIB) $(BUILD)/heaplog-macos
ifneq ($(findstring macos,$(TARGET)),)
COMMON := $(filter-out -fPIC -ftls-model=initial-exec,$(COMMON)) -include src/darwin/platform.h -I$(BUILD)/linux
$(DARWIN_LIB_OBJ) $(DARWIN_CLI_OBJ): | $(DARWIN_HEADERS) $(BUILD)/darwin/rename.h
$(BUILD)/src/preload/wrap_%.c.o: COMMON += -include src/darwin/interpose.h -include $(BUILD)/darwin/rename.h
$(BUILD)/src/cli/%.o: COMMON += -DHEAPLOG_COMMAND
endif
$(DARWIN_HEADERS):
	@mkdir -p $(@D)
	@: > $@
# In wrap_*.c the wrapper of fork is called fork; here it is heaplog_fork (interpose.h).
$(BUILD)/darwin/rename.h: src/preload/symbols.def
	@mkdir -p $(@D)
	@sed -n 's/^\(LINUX_\)*SYMBOL(\([^,]*\),.*/#define \2 heaplog_\2/p' $< > $@
$(DYLIB): $(DARWIN_LIB_OBJ)
	$(if $(Q),@echo "  LINK  $@")
	$(Q)$(CC) $(ALL_CFLAGS) -dynamiclib -o $@ $(DARWIN_LIB_OBJ) -Wl,-install_name,@rpath/libheaplog.dylib
$(BUILD)/heaplog-macos: $(DARWIN_CLI_OBJ)
	@mkdir -p $(@D)
	$(if $(Q),@echo "  LINK  $@")
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $(DARWIN_CLI_OBJ)
