# Fuzzing with libFuzzer (clang and its runtime: Debian packages clang and libclang-rt-14-dev).
#   make fuzz              FUZZ_SECONDS=60 for each target; what it finds new is kept in build/fuzz/corpus
#   make fuzz-check        the kept corpus and a few thousand runs more: a part of make check where clang is there
FUZZ_SECONDS ?= 60
FUZZ_CC      ?= clang
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SRC     := $(MEASURE) $(RECORD) $(TASK) $(addprefix src/preload/,nx.c annotate.c) $(addprefix src/cli/,json.c line.c utf8.c)
FUZZ_OBJ     := $(patsubst %,$(BUILD)/fuzz/%.o,$(FUZZ_SRC))
FUZZ_CFLAGS  := $(filter-out -fPIC,$(COMMON)) -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
# Asked only where it matters: it is a compilation.
FUZZ_CAN      = $(if $(filter check fuzz-check,$(MAKECMDGOALS)),$(shell \
                  echo 'int LLVMFuzzerTestOneInput(void);int LLVMFuzzerTestOneInput(void){return 0;}' | \
                  $(FUZZ_CC) -x c -fsanitize=fuzzer,address - -o /dev/null 2>/dev/null && echo yes))

.PHONY: fuzz fuzz-check fuzz-build
$(BUILD)/fuzz/%.c.o: %.c
	@mkdir -p $(@D)
	$(if $(Q),@echo "  FUZZ  $<")
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -Itests/fuzz -MMD -MP -c $< -o $@
$(BUILD)/fuzz/fuzz_%: $(BUILD)/fuzz/tests/fuzz/fuzz_%.c.o $(FUZZ_OBJ)
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $^
fuzz-build: $(addprefix $(BUILD)/fuzz/,$(FUZZ_TARGETS))
fuzz: fuzz-build
	$(Q)BUILD=$(BUILD) sh tests/fuzz/run.sh long $(FUZZ_SECONDS) $(FUZZ_TARGETS)
ifeq ($(FUZZ_CAN),yes)
fuzz-check: fuzz-build
	$(Q)BUILD=$(BUILD) sh tests/fuzz/run.sh short 3 $(FUZZ_TARGETS)
else
fuzz-check:
	@echo "fuzz-check: left out, $(FUZZ_CC) with libFuzzer is not installed"
endif
check: fuzz-check
