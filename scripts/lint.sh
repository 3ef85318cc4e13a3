#!/usr/bin/env bash
# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
#
# Checks the format of every tracked Swift file, the licence line, the imports that the module table allows, and that
# nothing is tracked that is built, fetched or secret.
source "$(dirname "$0")/common.sh"

failed=0
problem() { printf '%s\n' "$*" >&2; failed=1; }

git ls-files -z '*.swift' | xargs -0 swift format lint --strict --parallel || failed=1

forbidden='^(\.build|\.cache|\.venv|\.swiftpm)/|(^|/)__pycache__/|\.(gguf|whl|sqlite|sqlite-wal|sqlite-shm|pem|key|o|pyc)$|^Package\.resolved$|(^|/)\.env$'
tracked=$(git ls-files | grep -E "$forbidden" || true)
[ -z "$tracked" ] || problem "these should not be tracked:"$'\n'"$tracked"

while IFS= read -r -d '' file; do
    # Code that a tutorial shows begins with what it is about.
    case $file in Package.swift | *.docc/Resources/*) continue ;; esac
    head -3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || problem "$file: the licence line is missing"
done < <(git ls-files -z '*.swift' '*.sh' '*.py')

while IFS= read -r -d '' file; do
    [ "$(git cat-file -s ":$file" 2>/dev/null || echo 0)" -lt 500000 ] || problem "$file: larger than 500 kB"
done < <(git ls-files -z)

# not_in MODULE PATTERN: no file of the module imports what matches.
not_in() {
    local found
    found=$(git grep -nE "^ *(@_exported )?((public|package|internal|private) )?import (struct |class |enum |protocol )?($2)\b" -- "Sources/$1" || true)
    [ -z "$found" ] || problem "$1 may not import this:"$'\n'"$found"
}
not_in WireJSON '[A-Z][A-Za-z]*'
not_in EvalProtocol 'NIO[A-Za-z0-9]*|Logging|Hummingbird[A-Za-z]*|AsyncHTTPClient|GRDB'
not_in OpenAPI 'NIO[A-Za-z0-9]*|Logging|Hummingbird[A-Za-z]*|AsyncHTTPClient|GRDB|TraceStore'
not_in RolloutTracing 'Hummingbird[A-Za-z]*|GRDB|TraceStore|RolloutEnvironment'
not_in RolloutEnvironment 'GRDB|TraceStore|RolloutProcessor'
not_in RolloutProcessor 'Hummingbird[A-Za-z]*|GRDB|TraceStore|RolloutEnvironment'
not_in TraceStore 'NIO[A-Za-z0-9]*|GRDB|Hummingbird[A-Za-z]*|AsyncHTTPClient|RolloutTracing'
not_in SQLiteTraceStore 'NIO[A-Za-z0-9]*|Hummingbird[A-Za-z]*|AsyncHTTPClient|RolloutTracing|ModelProxy'
not_in ModelProxy 'GRDB|Hummingbird[A-Za-z]*|AsyncHTTPClient|SQLiteTraceStore|RolloutTracing'
not_in TracingGateway 'GRDB|AsyncHTTPClient|SQLiteTraceStore|RolloutEnvironment|RolloutProcessor'

testable=$(git grep -n '@testable' -- '*.swift' || true)
[ -z "$testable" ] || problem "tests use the package's own access, not @testable:"$'\n'"$testable"

[ $failed = 0 ] || fail "lint found problems"
say "lint found nothing"
