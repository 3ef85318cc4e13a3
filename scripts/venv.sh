#!/usr/bin/env bash
# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
#
# venv.sh REQUIREMENTS...: makes the virtual environment in .cache/venv, or .cache/$ROLLCALL_VENV, and installs the pinned
# packages, once.
source "$(dirname "$0")/common.sh"

if ! "$VENV/bin/python" -c '' 2>/dev/null; then
    say "making a Python environment in .cache/${VENV##*/}"
    rm -rf "$VENV"
    python3 -m venv "$VENV"
fi
for requirements in "$@"; do
    stamp="$VENV/$(basename "$requirements").installed"
    cmp -s "$requirements" "$stamp" && continue
    say "installing the Python packages of $requirements"
    pip_retry install --requirement "$requirements"
    cp "$requirements" "$stamp"
done
