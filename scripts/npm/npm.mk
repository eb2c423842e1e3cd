# The npm package: one tarball with the builds for all machines, and the real package managers on real workspaces with it.
.PHONY: npm-package check-npm-package
npm-package: cross
	$(Q)sh scripts/npm/package.sh $(VERSION) $(CROSS) $(BUILD)
check-npm-package: npm-package
	$(Q)BUILD=$(BUILD) bash scripts/npm/check.sh $(BUILD)/heaplog-$(VERSION).tgz
