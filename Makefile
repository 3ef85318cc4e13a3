# Part of Rollcall. SPDX-License-Identifier: Apache-2.0

.DEFAULT_GOAL := help
.PHONY: help demo test soak fuzz format lint docs bench clean

help:   ## what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo:   ## builds, fetches a small real model, runs 20 rollouts, shows what happened
	@scripts/demo.sh

test:   ## all tests: unit, integration, interop with the Python package
	@scripts/test.sh

soak:   ## the long forms of tests: hundreds of power losses, disks that fail, thousands of odd requests and rollouts
	@scripts/soak.sh

fuzz:   ## random bytes for every parser, for FUZZ_SECONDS (60) in all; CONTRIBUTING.md
	@scripts/fuzz.sh

format: ## formats the Swift sources in place
	@scripts/format.sh

lint:   ## checks format and style, and that nothing is tracked that should not be
	@scripts/lint.sh

docs:   ## builds the documentation of the public modules into .build/docs; warnings are errors
	@scripts/docs.sh

bench:  ## measures the gateway against nginx and others, within 15 minutes; docs/performance.md
	@scripts/bench.sh $(ARGUMENTS)

clean:  ## removes builds, the Python environment and the model
	rm -rf .build .build-fuzz .cache
