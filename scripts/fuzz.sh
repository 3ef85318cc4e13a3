#!/usr/bin/env bash
# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
#
# fuzz.sh [TARGET...]: feeds the parsers with libFuzzer for FUZZ_SECONDS in all (60), the targets of Tests/Fuzz in turn or
# those named. The build is one of its own, in .build-fuzz. Inputs that led somewhere new are kept in .cache/fuzz and
# begin the next run. Fails if a target has found something.
source "$(dirname "$0")/common.sh"
trap 'exit 130' INT

scripts/install.sh
say "building the fuzzer (the first time takes some minutes)"
ROLLCALL_FUZZ=1 swift build "${SWIFT_FLAGS[@]}" --scratch-path .build-fuzz --product Fuzz >&2 </dev/null
fuzz=$(ls "$ROOT"/.build-fuzz/*/release/Fuzz)

folder="$CACHE/fuzz"
mkdir -p "$folder/findings"
"$fuzz" seeds "$folder/seeds"
targets=("$@")
[ $# -gt 0 ] || readarray -t targets < <("$fuzz" list)
seconds=$((${FUZZ_SECONDS:-60} / ${#targets[@]}))

# Swift prints a stack trace of its own before libFuzzer sees a failure; what is alive at the end is no leak.
export SWIFT_BACKTRACE=enable=no SWIFT_DETERMINISTIC_HASHING=1 ASAN_OPTIONS=detect_leaks=0

failed=0
for target in "${targets[@]}"; do
    log="$folder/$target.log"
    mkdir -p "$folder/corpus/$target"
    code=0
    FUZZ_TARGET=$target "$fuzz" -max_total_time=$((seconds > 0 ? seconds : 1)) -timeout=10 -rss_limit_mb=4096 -max_len=4096 \
        -print_final_stats=1 -artifact_prefix="$folder/findings/$target-" "$folder/corpus/$target" "$folder/seeds/$target" \
        >"$log" 2>&1 </dev/null || code=$?
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    printf '%-14s %10s executions, %5s inputs kept\n' "$target" "${executions:-0}" "$(ls "$folder/corpus/$target" | wc -l)"
    [ $code = 0 ] || {
        failed=1
        grep -m3 -E 'does not hold|Fatal error|ERROR: ' "$log" >&2 || tail -20 "$log" >&2
        finding=$(sed -n 's/.*Test unit written to //p' "$log" | tail -1)
        say "to repeat it: SWIFT_BACKTRACE=enable=no FUZZ_TARGET=$target $fuzz $finding"
    }
done
[ $failed = 0 ] || fail "the fuzzer has found something; logs and inputs are in $folder"
