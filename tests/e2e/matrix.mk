# Every output mode of Nx 18 to 24 with every outcome of a task, from real runs with and without the library.
#   make matrix NX="18 24" MODES='^TUI'   a part of it: majors, and modes whose name matches a regular expression
MATRIX_NX = $(if $(filter command line environment,$(origin NX)),$(NX),18 19 20 21 22 23 24)
.PHONY: matrix screens
matrix: $(LIB)
	$(Q)sh tests/e2e/matrix.sh $(LIB) '$(MODES)' $(MATRIX_NX)
# The screen in tmux at 80 and 44 columns.   make screens NX="18 24"
screens: $(LIB)
	$(Q)sh tests/e2e/matrix.sh $(LIB) screens $(if $(filter command line environment,$(origin NX)),$(NX),18 22 24)
