#!/usr/bin/env bash
# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
#
# bench.sh [ARGUMENTS of Benchmarks/bench.py...]: installs nginx, wrk and, but for --quick, the gateways to compare with,
# each in an environment of its own; builds, measures, prints Markdown tables.
source "$(dirname "$0")/common.sh"

scripts/install.sh nginx-light wrk
scripts/build.sh --product rollcall
if [[ " $* " != *" --quick "* ]]; then
    for name in litellm vllm-router; do
        ROLLCALL_VENV="venv-$name" scripts/venv.sh "scripts/requirements-$name.txt" || say "$name cannot be installed, and is left out"
    done
fi
rollcall=$(bin rollcall)
python3 Benchmarks/bench.py "$rollcall" "$@" </dev/null
