# Real turbo, from npm: a statically linked runner behind a script for Node.js.
.PHONY: e2e-turbo
e2e-turbo: $(LIB) $(BUILD)/heaplog
	$(Q)BUILD=$(BUILD) bash tests/turbo/turbo.sh
