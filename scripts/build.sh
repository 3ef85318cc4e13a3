#!/usr/bin/env bash
# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
#
# build.sh [ARGUMENTS...]: builds the package; `--build-tests` adds the tests to the same build.
source "$(dirname "$0")/common.sh"

[ -z "${ROLLCALL_BIN:-}" ] || { say "using the ready build in $ROLLCALL_BIN"; exit 0; }
say "building (the first time takes some minutes)"
swift build "${SWIFT_FLAGS[@]}" "$@" >&2 </dev/null
