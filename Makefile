# Everything that a newcomer needs: `make help`.

BRAMBLE := target/release/bramble
FILE    := examples/lab.yaml
BUNDLE  := /var/cache/bramble/bundles/debian-v1.20.2

.PHONY: help up test down build web bench check firmware install deb

help: ## Show this help
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F'\t' '{ printf "  make %-10s %s\n", $$1, $$2 }'

up: ## Set up, build, start the lab, bring a real cluster up in it (root, Debian 12)
	@scripts/setup.sh
	@$(MAKE) --no-print-directory build
	@scripts/try.sh up $(BRAMBLE) $(FILE)

test: ## Run everything, whole-system tests included (root, Debian 12)
	@scripts/setup.sh --test
	@scripts/test.sh

down: ## Take the cluster and its lab away
	@scripts/try.sh down $(BRAMBLE) $(FILE)

web: ## Build the web page that the program holds (web/dist)
	@scripts/web.sh build

build: web ## Build the program (release, target/release/bramble)
	@. scripts/rust.sh && cargo build --release --locked -p bramble

check: ## Format, lints, types of the page, shell scripts
	@scripts/check.sh

bench: ## Measure against other tools, side by side (root; about 70 minutes)
	@scripts/setup.sh --test
	@bench/run

firmware: ## Test and build the button's firmware (root, Debian 12)
	@scripts/setup-firmware.sh
	@scripts/firmware.sh --test

install: build ## Install the program, completions and man pages below /usr/local
	install -D $(BRAMBLE) /usr/local/bin/bramble
	mkdir -p /usr/local/share/man/man1 /etc/bash_completion.d
	$(BRAMBLE) man --dir /usr/local/share/man/man1
	$(BRAMBLE) completions bash > /etc/bash_completion.d/bramble

deb: ## Build Debian's package (target/debian)
	@scripts/setup.sh
	@scripts/deb.sh
