-- Part of Rollcall. SPDX-License-Identifier: Apache-2.0
-- Requests of about 1.9 kB for BENCH_API, which is chat/completions where it is not named. They share their system prompt;
-- the rest of each is its own. On a tagged path, eight are of one rollout, whose id begins with BENCH_ROLLOUTS; without
-- that variable the path has no tags.

dofile(os.getenv("BENCH_FOLDER") .. "/result.lua")

local head = '{"model":"bench","messages":[{"role":"system","content":"' .. string.rep("You are careful. ", 24)
    .. '"},{"role":"user","content":"Case '
local tail = ": " .. string.rep("What do you make of this? ", 54) .. '"}],"temperature":0.7'
    .. (os.getenv("BENCH_STREAM") and ',"stream":true}' or "}")
local api = os.getenv("BENCH_API") or "chat/completions"
local rollouts = os.getenv("BENCH_ROLLOUTS")
local count = 0

function request()
    count = count + 1
    local path = "/v1/" .. api
    if rollouts then
        path = "/rollout_id/" .. rollouts .. "-" .. math.floor(count / 8)
            .. "/invocation_id/i/experiment_id/e/run_id/r/row_id/w/" .. api
    end
    return wrk.format("POST", path, headers, head .. count .. tail)
end
