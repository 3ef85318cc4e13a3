#!/usr/bin/env bash
# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
#
# bench.sh [ARGUMENTS of Benchmarks/bench.py...]: installs nginx and wrk, builds, measures, prints Markdown tables.
source "$(dirname "$0")/common.sh"

scripts/install.sh nginx-light wrk
scripts/build.sh --product rollcall
rollcall=$(bin rollcall)
python3 Benchmarks/bench.py "$rollcall" "$@" </dev/null
