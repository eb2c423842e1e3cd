# The shells' completions, in the shells themselves. zsh and fish are installed where they are missing.
.PHONY: check-completions
check-completions: $(BUILD)/heaplog
	$(Q)for shell in zsh fish; do command -v $$shell >/dev/null || missing="$$missing $$shell"; done; \
	  [ -z "$$missing" ] || { echo "installing Debian packages:$$missing"; \
	    $$([ "$$(id -u)" -eq 0 ] || echo sudo) apt-get install -y -qq --no-install-recommends $$missing >/dev/null; }
	$(Q)BUILD=$(BUILD) bash tests/completions/completions.sh
