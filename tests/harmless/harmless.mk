# Harmless: nothing that heaplog watches can tell the difference.
#   make conformance       CPython's, perl's, GNU make's, git's and npm's work with and without the library, test by test.
#                          Installs the Debian packages that it needs by name. SUITES="python perl build git npm"
.PHONY: conformance
conformance: $(LIB)
	$(Q)BUILD=$(BUILD) sh tests/harmless/conformance.sh $(SUITES)
