# Harmless: nothing that heaplog watches can tell the difference.
#   make requirements      each requirement, the tests that show it, and their results
#   make conformance       CPython's, perl's, GNU make's, git's and npm's work with and without the library, test by test.
#                          Installs the Debian packages that it needs by name. SUITES="python perl build git npm"
#   make faults            every call that the library makes fails once; hostile places; FAULT_KILLS=1000 kills.
#                          FAULTS="inject places kills"
#   make storm             STORM="100000 1000 10000": spawns by each way, tasks at once, descendants. A short one in make check
#   make storm-tsan, make storm-helgrind
STORM   ?= 100000 1000 10000
.PHONY: requirements conformance faults storm storm-check storm-tsan storm-helgrind

$(BUILD)/harmless/storm: tests/harmless/storm.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -fPIC,$(ALL_CFLAGS)) -o $@ $< -lpthread -ldl
$(BUILD)/harmless/libfault.so: tests/harmless/libfault.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Wno-pedantic -fvisibility=default -shared -o $@ $< -ldl
requirements: test-build $(BUILD)/harmless/storm $(BUILD)/harmless/libfault.so
	$(Q)BUILD=$(BUILD) sh tests/harmless/result.sh symbols sh scripts/symbols.sh check $(ARCH) $(LIB)
	$(Q)BUILD=$(BUILD) sh tests/harmless/result.sh storm sh tests/harmless/storm.sh 300 100 200
	$(Q)FAULT_KILLS=20 BUILD=$(BUILD) sh tests/harmless/result.sh faults-short python3 tests/harmless/faults.py $(BUILD) places kills
	$(Q)python3 tests/harmless/requirements.py $(BUILD)
conformance: $(LIB)
	$(Q)BUILD=$(BUILD) sh tests/harmless/result.sh conformance sh tests/harmless/conformance.sh $(SUITES)
faults: test-build $(BUILD)/harmless/libfault.so
	$(Q)BUILD=$(BUILD) sh tests/harmless/result.sh faults python3 tests/harmless/faults.py $(BUILD) $(FAULTS)
storm: $(LIB) $(BUILD)/harmless/storm
	$(Q)BUILD=$(BUILD) sh tests/harmless/result.sh storm sh tests/harmless/storm.sh $(STORM)
storm-check: $(LIB) $(BUILD)/harmless/storm
	$(Q)BUILD=$(BUILD) sh tests/harmless/storm.sh 200 50 100
check: storm-check
# A sanitizer's runtime comes before every preloaded library: the storm is linked with ours instead.
storm-tsan:
	$(Q)$(MAKE) -s BUILD=build-tsan SANITIZE="-fsanitize=thread -Wno-tsan" build-tsan/libheaplog.so
	$(Q)$(CC) $(filter-out -fPIC,$(COMMON)) -fsanitize=thread -Wno-tsan -o build-tsan/storm tests/harmless/storm.c -Wl,--no-as-needed \
	  build-tsan/libheaplog.so -Wl,-rpath,$(abspath build-tsan) -lpthread -ldl
	@# Reports to a file: a sampler, which may find one, has no descriptor 2 in its table.
	$(Q)rm -f build-tsan/report.*
	$(Q)STORM_IN_A_TOOL=1 NX_LOG_HEAP_USAGE=true TSAN_OPTIONS="halt_on_error=1 exitcode=66 die_after_fork=0 \
	  log_path=$(CURDIR)/build-tsan/report suppressions=$(CURDIR)/tests/tsan.supp" setarch -R build-tsan/storm 300 20 50 || \
	  { cat build-tsan/report.*; false; }
# helgrind is told what our atomics mean (helgrind.h); nothing of ours is suppressed. In the exact mode as well.
HELGRIND_STORM ?= 100 10 20
storm-helgrind:
	$(Q)$(MAKE) -s BUILD=build-helgrind WERROR= CFLAGS="-include tests/harmless/helgrind.h -w -O1" build-helgrind/libheaplog.so \
	  build-helgrind/harmless/storm
	$(Q)BUILD=build-helgrind sh tests/harmless/helgrind.sh $(HELGRIND_STORM)
