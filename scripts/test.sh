#!/usr/bin/env bash
# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
#
# Installs what the tests need, builds them and runs all: Swift Testing first, then pytest. Fails too if fewer tests
# ran than scripts/minimum_tests says: a runner that finds none is content with that.
source "$(dirname "$0")/common.sh"

scripts/install.sh librsvg2-bin
scripts/venv.sh scripts/requirements-demo.txt scripts/requirements-interop.txt
ROLLCALL_VENV=venv-langgraph scripts/venv.sh Examples/LangGraphAgent/requirements.txt
scripts/build.sh --build-tests

# check_count NAME COUNT
check_count() {
    local minimum
    minimum=$(awk -v name="$1" '$1 == name { print $2 }' scripts/minimum_tests)
    [ "${2:-0}" -ge "$minimum" ] || fail "$1: ${2:-0} tests ran, at least $minimum are expected (scripts/minimum_tests)"
}

log="$CACHE/test.log"
failed=0

say "running the Swift tests"
# Most tests are servers and clients that wait for each other; all at once they would starve two cores.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=8
swift_lines=
swift_count=0
# swift_tests ARGUMENTS...: runs some of them, shows what fails and what some count, and adds up what the runner says at
# its end.
swift_tests() {
    scripts/swift_tests.sh "$@" 2>&1 | tee "$log" | grep -E '^(✘|━|✔ Test run with)|^[a-z ]*: [0-9]|Fatal error' || true
    local line
    line=$(grep -E 'Test run with [0-9]+ tests?' "$log" | tail -1 || true)
    grep -qE '^✔ Test run with' <<<"$line" || { tail -50 "$log"; failed=1; }
    swift_count=$((swift_count + $(sed -nE 's/.*Test run with ([0-9]+) tests?.*/\1/p' <<<"${line:-Test run with 0 tests}")))
    swift_lines+="Swift:   ${line:-no closing line; see $log}"$'\n'
}
swift_tests --skip IntegrationTests.FaultTests
# How late rollouts may end is told in seconds, which hold for a machine that does nothing else.
swift_tests --filter IntegrationTests.FaultTests

say "running the interop tests"
scripts/interop.sh 2>&1 | tee "$log.interop" || failed=1
interop_line=$(grep -E '[0-9]+ (passed|failed|error).* in [0-9.]+s' "$log.interop" | tail -1 || true)
interop_count=$(sed -nE 's/.*[^0-9]([0-9]+) passed.*/\1/p' <<<" $interop_line")

echo
printf '%s' "$swift_lines"
echo "Interop: ${interop_line:-no closing line; see $log.interop}"
[ $failed = 0 ] || fail "tests failed"
check_count swift "$swift_count"
check_count interop "$interop_count"
