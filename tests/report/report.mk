# What of `heaplog report` takes longer than `make check`, or needs more than it installs.
#   make bench-report    time and memory of 1,000,000 records; RECORDS= and TASKS= for others
#   make check-openmetrics   the reference parser of OpenMetrics (PyPI prometheus_client) and Prometheus' promtool
#   make check-html      the page in headless Chromium, at three widths, light and dark, with 5 and 500 tasks
#   make check-trace     the trace beside an NX_PROFILE in Perfetto
RECORDS ?= 1000000
TASKS   ?= 500

GENERATE := $(BUILD)/tests/generate
$(GENERATE): tests/report/generate.c $(patsubst %,$(BUILD)/%.o,$(RECORD))
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $^ -lm

.PHONY: bench-report check-openmetrics check-html check-trace
bench-report: $(HEAPLOG) $(GENERATE)
	$(Q)BUILD=$(BUILD) sh tests/report/bench.sh $(RECORDS) $(TASKS)
check-openmetrics: $(HEAPLOG) $(GENERATE)
	$(Q)BUILD=$(BUILD) sh tests/report/openmetrics.sh
check-html: $(HEAPLOG) $(GENERATE)
	$(Q)BUILD=$(BUILD) sh tests/report/html.sh
check-trace: $(HEAPLOG) $(GENERATE)
	$(Q)BUILD=$(BUILD) sh tests/report/trace.sh
