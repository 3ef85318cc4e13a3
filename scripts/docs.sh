#!/usr/bin/env bash
# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
#
# Builds the documentation of the public modules into .build/docs, from the ordinary build. A warning, such as a link to
# nothing, is an error.
source "$(dirname "$0")/common.sh"

modules=(WireJSON EvalProtocol RolloutTracing RolloutEnvironment RolloutProcessor RolloutTesting)
output="$ROOT/.build/docs"

scripts/build.sh
built=$(dirname "$(bin rollcall)")
work=$(mktemp -d "$CACHE/docs.XXXXXX")
trap 'rm -rf "$work"' EXIT
rm -rf "$output"
mkdir -p "$output"

includes=(-I "$built/Modules" -I Sources/CZlib -I Sources/CZstd)
for folder in .build/checkouts/*/Sources/*/include; do includes+=(-I "$folder"); done
for map in "$built"/*.build/module.modulemap; do includes+=(-Xcc "-fmodule-map-file=$map"); done
target=$(swift -print-target-info | sed -n 's/.*"unversionedTriple" *: *"\(.*\)".*/\1/p')

for module in "${modules[@]}"; do
    mkdir "$work/$module"
    swift symbolgraph-extract -module-name "$module" "${includes[@]}" -target "$target" -output-dir "$work/$module" \
        -minimum-access-level public -skip-synthesized-members
done
for module in "${modules[@]}"; do
    say "$module"
    docc convert "Sources/$module/$module.docc" --additional-symbol-graph-dir "$work/$module" \
        --fallback-display-name "$module" --fallback-bundle-identifier "rollcall.$module" \
        --hosting-base-path "$module" --transform-for-static-hosting \
        --diagnostics-file "$work/$module.json" --output-dir "$output/$module" </dev/null >/dev/null 2>&1 ||
        { cat "$work/$module.json" >&2; fail "docc failed for $module"; }
done
python3 scripts/doc_warnings.py "$work" "${modules[@]}" || fail "the documentation has warnings"
say "the pages are in .build/docs; python3 -m http.server --directory .build/docs shows them"
