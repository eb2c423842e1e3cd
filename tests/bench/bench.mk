# What heaplog costs: every budget, measured against its counterpart in the same run.
#   make bench                 all; ends with 1 when a budget is missed. Also in build/bench.txt and build/bench.json
#   make bench BENCH="trees"   chosen ones: start write reap nx trees memory tasks machine busy calls exact dd report
#   make tick                  the system calls of one settled look at a tree of ten processes
#   make plot                  build/cost.svg: CPU time against the size of the tree, beside the peers
# Times are CPU times wherever that is possible; other work on the machine shows in them nevertheless.
BENCH ?=

BENCH_BUILD := $(addprefix $(BUILD)/tests/bench/,tree start calls reap looks empty.so)
$(BUILD)/tests/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -fPIC,$(ALL_CFLAGS)) -o $@ $<
$(BUILD)/tests/bench/empty.so: tests/bench/empty.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -shared -o $@ $<

.PHONY: bench bench-build tick plot
bench-build: $(LIB) $(HEAPLOG) $(BUILD)/tests/generate $(BENCH_BUILD) $(BUILD)/tests/helper_runner
bench: bench-build
	$(Q)sh tests/accuracy/install.sh python3 tests/bench/bench.py --build $(BUILD) $(BENCH)
tick: bench-build
	$(Q)sh tests/bench/tick.sh $(BUILD)
plot: bench-build
	$(Q)sh tests/accuracy/install.sh python3 tests/bench/plot.py --build $(BUILD)
