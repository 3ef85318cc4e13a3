#!/usr/bin/env bash
# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
#
# The long forms of the tests that look for what seldom happens; ROLLCALL_TEST_SEED repeats a run.
source "$(dirname "$0")/common.sh"

scripts/install.sh debootstrap
scripts/venv.sh scripts/requirements-demo.txt scripts/requirements-interop.txt
scripts/build.sh --build-tests
export ROLLCALL_SOAK=1
for tests in "DurabilityTests|TraceStoreTests.ConversationTests" IntegrationTests.FaultTests; do
    scripts/swift_tests.sh --filter "$tests" 2>&1 | grep -E '^(✘|━|✔ Test)|SEED|^[a-z ]*: [0-9]|^faults|Fatal error'
done
scripts/interop.sh test_tutorial.py test_serverless.py
scripts/interop.sh test_openapi.py test_flat.py -s
