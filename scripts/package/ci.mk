# The workflows of CI, looked at by actionlint: names of runners, keys, expressions, and (by shellcheck) the scripts in them.
ACTIONLINT_VERSION := v1.7.12

.PHONY: lint-ci
lint-ci: $(BUILD)/actionlint-$(ACTIONLINT_VERSION)/actionlint
	$< .github/workflows/*.yml examples/ci/*.yml
$(BUILD)/actionlint-$(ACTIONLINT_VERSION)/actionlint:
	@command -v go >/dev/null || { echo "make lint-ci needs Go 1.25 or later" >&2; exit 1; }
	@echo "installing the Go program github.com/rhysd/actionlint@$(ACTIONLINT_VERSION) into $(@D)"
	$(Q)GOBIN=$(abspath $(@D)) go install github.com/rhysd/actionlint/cmd/actionlint@$(ACTIONLINT_VERSION)
