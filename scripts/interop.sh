#!/usr/bin/env bash
# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
#
# interop.sh [PYTEST ARGUMENTS...]: runs the built programs with the real Python package. The variables keep that
# package from writing to the home directory, opening a browser and reaching for the network.
source "$(dirname "$0")/common.sh"

ROLLCALL_BIN=$(dirname "$(bin rollcall)")
export ROLLCALL_BIN EP_NO_UPLOAD=1 DISABLE_EP_SQLITE_LOG=1 EP_DISABLE_AUTO_BROWSER=1 LITELLM_LOCAL_MODEL_COST_MAP=True
cd Tests/Interop
exec "$VENV/bin/python" -m pytest --quiet "$@" </dev/null
