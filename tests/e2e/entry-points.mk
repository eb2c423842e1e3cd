# Every way in which people start Nx, and the package managers' own runners, with LD_PRELOAD set once at the outside.
.PHONY: entry-points
entry-points: $(LIB)
	$(Q)BUILD=$(BUILD) bash tests/e2e/entry-points.sh
