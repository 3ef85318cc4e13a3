#!/usr/bin/env bash
# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
#
# swift_tests.sh [ARGUMENTS of swift test...]: runs the Swift tests that scripts/build.sh --build-tests has built.
source "$(dirname "$0")/common.sh"

swift test "${SWIFT_FLAGS[@]}" --skip-build --disable-xctest "$@" </dev/null
