# Every output mode of Nx 18 to 24 with every outcome of a task, from real runs with and without the library.
#   make matrix NX="18 24" MODES='^TUI'   a part of it: majors, and modes whose name matches a regular expression
#   make matrix-quick                     the part that scripts/test.sh runs: of the three majors that make e2e has got
#                                         from npm anyway, the modes that differ most
MATRIX_NX = $(if $(filter command line environment,$(origin NX)),$(NX),18 19 20 21 22 23 24)
MATRIX_QUICK = ^(pipe: (run-many|stream, parallel=3|run-one|batch)|terminal: (run-many|run-one)|TUI: run-many)$$
.PHONY: matrix matrix-quick screens pty-loss
matrix: $(LIB)
	$(Q)sh tests/e2e/matrix.sh $(LIB) '$(MODES)' $(MATRIX_NX)
matrix-quick: $(LIB)
	$(Q)sh tests/e2e/matrix.sh $(LIB) '$(MATRIX_QUICK)' 20 22 24
# The screen in tmux at 80 and 44 columns.   make screens NX="18 24"
screens: $(LIB)
	$(Q)sh tests/e2e/matrix.sh $(LIB) screens $(if $(filter command line environment,$(origin NX)),$(NX),18 22 24)
# What tasks on Nx's pseudo-terminal lose on a busy machine, with the library and without. Makes that load itself: 4 minutes.
pty-loss: $(LIB)
	$(Q)sh tests/e2e/matrix.sh $(LIB) pty-loss 24
