# The launcher with real runners from npm.
#   make e2e-launcher   heaplog nx ... against the LD_PRELOAD form, byte for byte (NX="20 22 24")
#   make e2e-turbo      turbo: statically linked, behind a script for Node.js
.PHONY: e2e-launcher e2e-turbo
e2e-launcher: $(LIB) $(BUILD)/heaplog
	$(Q)BUILD=$(BUILD) bash tests/launcher/nx.sh $(NX)
e2e-turbo: $(LIB) $(BUILD)/heaplog
	$(Q)BUILD=$(BUILD) bash tests/launcher/turbo.sh
