# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
#
# What the other scripts share; source it first. Everything they fetch or make stays in .cache/ and .build/.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE="$ROOT/.cache"
VENV="$CACHE/${ROLLCALL_VENV:-venv}"
mkdir -p "$CACHE"
cd "$ROOT"

# The one build configuration: build, tests and demo share it, so nothing is compiled twice.
SWIFT_FLAGS=(-c release -debug-info-format none)

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
fail() { printf '\033[31merror:\033[0m %s\n' "$*" >&2; exit 1; }

# pip_retry ARGUMENTS...: pip of the virtual environment, once more if the network failed.
pip_retry() {
    local pip=("$VENV/bin/pip" --disable-pip-version-check --quiet --no-input)
    "${pip[@]}" "$@" >&2 || { say "pip failed, trying once more"; sleep 3; "${pip[@]}" "$@" >&2; }
}

# bin NAME: the path of a built executable. ROLLCALL_BIN names another folder with ready ones.
bin() {
    if [ -z "${ROLLCALL_BIN:-}" ]; then
        ROLLCALL_BIN=$(swift build "${SWIFT_FLAGS[@]}" --show-bin-path)
        export ROLLCALL_BIN
    fi
    echo "$ROLLCALL_BIN/$1"
}

# wait_for FILE PATTERN PID NAME: waits until a line of FILE matches, prints it; fails if the process ends first.
wait_for() {
    local file=$1 pattern=$2 pid=$3 name=$4 tries=0
    until grep -m1 -E "$pattern" "$file" 2>/dev/null; do
        kill -0 "$pid" 2>/dev/null || { cat "$file" "${file%.out}.err" >&2 2>/dev/null || true; fail "$name ended before it was ready"; }
        tries=$((tries + 1))
        [ $tries -lt 600 ] || fail "$name was not ready within a minute; see $file"
        sleep 0.1
    done
}
