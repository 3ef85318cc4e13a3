#!/usr/bin/env bash
# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
#
# Builds the documentation of the public modules into .build/docs. A warning, such as a link to nothing, is an error.
source "$(dirname "$0")/common.sh"

modules=(WireJSON EvalProtocol RolloutTracing RolloutEnvironment RolloutProcessor RolloutTesting)
output="$ROOT/.build/docs"

scripts/build.sh
say "reading the public symbols"
swift package "${SWIFT_FLAGS[@]}" dump-symbol-graph --minimum-access-level public --skip-synthesized-members \
    </dev/null >"$CACHE/symbols.log" 2>&1 || { tail -30 "$CACHE/symbols.log" >&2; fail "no symbol graphs"; }
graphs=$(sed -n 's/^Files written to //p' "$CACHE/symbols.log")

rm -rf "$output"
for module in "${modules[@]}"; do
    say "$module"
    symbols=$(mktemp -d "$CACHE/symbols.XXXXXX")
    cp "$graphs/$module".symbols.json "$graphs/$module"@*.symbols.json "$symbols" 2>/dev/null || true
    docc convert "Sources/$module/$module.docc" --additional-symbol-graph-dir "$symbols" \
        --fallback-display-name "$module" --fallback-bundle-identifier "rollcall.$module" \
        --hosting-base-path "$module" --transform-for-static-hosting --warnings-as-errors \
        --output-dir "$output/$module" </dev/null
    rm -rf "$symbols"
done
say "the pages are in .build/docs; python3 -m http.server --directory .build/docs shows them"
