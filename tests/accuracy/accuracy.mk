# How exact the figure is: cases whose truth is known, each N times, beside other programs that measure memory.
#   make accuracy                N=20 times each, MODE=default|exact|both, CASE="hold four ..." to choose
#   make accuracy N=100          for the record
#   make accuracy N=100 MODE=both KEEP=1 CASE=churn    in parts: the rows that were measured before are kept, and shown
#                                with the new ones, as long as the library is the same to the byte
# MODE=none: the peers alone, and no bar. PEERS=5: how often the peers (GNU time, and from npm and PyPI, into build/peers) see each case; 0: not at all.
# It ends with 1 when a bar is missed, or the truth itself is in doubt (judge.py: what counts, and how it is checked that it can fail).
# The table is also in build/accuracy.txt, the numbers in build/accuracy.json.
N     ?= 20
MODE  ?= default
PEERS ?= 5
CASE  ?=
KEEP  ?=

ACCURACY := $(BUILD)/tests/accuracy/cases $(BUILD)/tests/accuracy/reference
$(BUILD)/tests/accuracy/%: tests/accuracy/%.c tests/accuracy/stage.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -fPIC,$(ALL_CFLAGS)) -o $@ $<

.PHONY: accuracy
accuracy: $(LIB) $(ACCURACY) $(BUILD)/tests/helper_runner
	$(Q)$(if $(filter-out 0,$(PEERS)),sh tests/accuracy/install.sh) python3 tests/accuracy/accuracy.py --build $(BUILD) --runs $(N) --mode $(MODE) --peers $(PEERS) $(if $(KEEP),--keep) $(CASE)
