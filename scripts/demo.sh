#!/usr/bin/env bash
# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
#
# The whole loop with a real model: model server, gateway and CalculatorEnvironment start, 20 rollouts run, and what
# happened is shown. Everything it starts ends with it.
source "$(dirname "$0")/common.sh"

scripts/install.sh
scripts/venv.sh scripts/requirements-demo.txt
model=$(scripts/fetch_model.sh)
scripts/build.sh --product rollcall
scripts/build.sh --product CalculatorEnvironment
rollcall=$(bin rollcall)
environment=$(bin CalculatorEnvironment)

rm -rf "$CACHE"/demo.*
work=$(mktemp -d "$CACHE/demo.XXXXXX")
pids=()
finish() {
    trap - EXIT INT TERM
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
}
trap finish EXIT
trap 'finish; exit 130' INT
trap 'finish; exit 143' TERM

# start NAME COMMAND...: in the background; its output goes to NAME.out and NAME.err
start() {
    local name=$1
    shift
    "$@" >"$work/$name.out" 2>"$work/$name.err" </dev/null &
    pids+=($!)
}

say "starting the model server (SmolLM2-135M-Instruct on llama.cpp)"
start model "$VENV/bin/python" scripts/model_server.py "$model"
upstream=$(wait_for "$work/model.out" 'http://' "${pids[-1]}" "the model server" | grep -oE 'http://[^ ]+')

say "starting the gateway in front of it"
unset ROLLCALL_API_KEYS EP_MODEL_BASE_URL FW_TRACING_GATEWAY_BASE_URL FIREWORKS_API_KEY EP_REMOTE_API_KEY
store="$work/traces.sqlite"
start gateway "$rollcall" gateway --port 0 --store "sqlite:$store" --upstream "$upstream"
port=$(wait_for "$work/gateway.out" 'https?://[^ "/]+:[0-9]+' "${pids[-1]}" "the gateway" | grep -oE ':[0-9]+' | head -1)
gateway="http://localhost$port"

say "starting CalculatorEnvironment"
start environment "$environment" --host localhost --port 0
port=$(wait_for "$work/environment.out" 'https?://[^ "/]+:[0-9]+' "${pids[-1]}" "CalculatorEnvironment" | grep -oE ':[0-9]+' | head -1)
url="http://localhost$port"

say "running 20 rollouts"
dataset=Examples/CalculatorEnvironment/rows.jsonl
code=0
"$rollcall" rollout --environment "$url" --gateway "$gateway" --model smollm2 --dataset "$dataset" --concurrency 4 \
    --timeout 300 --json >"$work/rows.jsonl" </dev/null || code=$?

"$VENV/bin/python" scripts/demo_report.py "$work/rows.jsonl" "$store" "$gateway"
[ "$code" = 0 ] || fail "some rollouts did not finish; the output of all parts is in $work"

cat <<END

Where to look next
  $rollcall gateway --store sqlite:$store --upstream URL
      opens this recording again; GET /v1/rollouts/ID and /v1/traces?tags=rollout_id:ID show it
  Examples/CalculatorEnvironment   the agent that just ran
  README.md                        your own environment, in Python or in Swift
  $work   the rows, the store and the output of all parts
END
