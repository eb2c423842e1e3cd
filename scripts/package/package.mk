# What is given to others: `make dist` the source, `make deb` a Debian package.
DIST := heaplog-$(VERSION)

.PHONY: dist deb $(BUILD)/$(DIST).tar.gz
# The same commit gives the same bytes: git archive takes times and order from the commit, gzip -n adds none of its own.
dist: $(BUILD)/$(DIST).tar.gz
$(BUILD)/$(DIST).tar.gz:
	@mkdir -p $(@D)
	git archive --format=tar --prefix=$(DIST)/ HEAD | gzip -9n > $@
	sha256sum $@

# Built from that source, so that nothing but what is committed gets in.
deb: dist
	$(Q)bash scripts/package/deb.sh $(BUILD)/$(DIST).tar.gz $(VERSION) $(BUILD)
