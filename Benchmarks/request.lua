-- Part of Rollcall. SPDX-License-Identifier: Apache-2.0
-- Chat completions of about 1.9 kB, eight to a rollout. They share their system prompt; the rest of each is its own.

local head = '{"model":"bench","messages":[{"role":"system","content":"' .. string.rep("You are careful. ", 24)
    .. '"},{"role":"user","content":"Case '
local tail = ": " .. string.rep("What do you make of this? ", 54) .. '"}],"temperature":0.7}'
local headers = { ["Content-Type"] = "application/json", ["Authorization"] = "Bearer none" }
local prefix = os.getenv("BENCH_PREFIX") or "bench"
local count = 0

function request()
    count = count + 1
    local path = "/rollout_id/" .. prefix .. "-" .. math.floor(count / 8)
        .. "/invocation_id/i/experiment_id/e/run_id/r/row_id/w/chat/completions"
    return wrk.format("POST", path, headers, head .. count .. tail)
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format('RESULT {"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "errors": %d}\n',
        summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
