# What is given to others: `make dist` the source, `make deb` a Debian package.
DIST := heaplog-$(VERSION)

.PHONY: dist deb $(BUILD)/$(DIST).tar.gz
# The same commit gives the same bytes: git archive takes times and order from the commit, gzip -n adds none of its own, and
# what a user may have set for git is set as it is by default. It needs the repository: the archive cannot make itself.
dist: $(BUILD)/$(DIST).tar.gz
$(BUILD)/$(DIST).tar.gz:
	@mkdir -p $(@D)
	git -c tar.umask=0022 -c core.autocrlf=false -c core.eol=lf -c core.attributesFile=/dev/null archive --format=tar --prefix=$(DIST)/ -o $(BUILD)/$(DIST).tar HEAD
	gzip -9nf $(BUILD)/$(DIST).tar
	sha256sum $@

# Built from that source, so that nothing but what is committed gets in.
deb: dist
	$(Q)bash scripts/package/deb.sh $(BUILD)/$(DIST).tar.gz $(VERSION) $(BUILD)
