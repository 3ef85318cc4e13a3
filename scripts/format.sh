#!/usr/bin/env bash
# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
#
# Formats every tracked Swift file in place.
source "$(dirname "$0")/common.sh"

git ls-files -z '*.swift' | xargs -0 swift format format --in-place --parallel
