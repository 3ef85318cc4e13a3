-- Part of Rollcall. SPDX-License-Identifier: Apache-2.0
-- Log lines with five tags, sixteen in a row of one rollout, whose id begins with BENCH_ROLLOUTS. BENCH_LINES of them are
-- a batch; without that variable each is posted alone.

dofile(os.getenv("BENCH_FOLDER") .. "/result.lua")

local rollouts = os.getenv("BENCH_ROLLOUTS")
local lines = tonumber(os.getenv("BENCH_LINES"))
local count = 0

local function line()
    count = count + 1
    return '{"program":"eval_protocol","message":"step ' .. count .. ' has ended, and the next one begins",'
        .. '"tags":["rollout_id:' .. rollouts .. "-" .. math.floor(count / 16)
        .. '","invocation_id:i","experiment_id:e","run_id:r","row_id:w"],'
        .. '"extras":{"logger_name":"agent","level":"INFO","timestamp":"2026-01-31T12:00:00.123456Z"}}'
end

function request()
    if not lines then return wrk.format("POST", "/logs", headers, line()) end
    local batch = {}
    for index = 1, lines do batch[index] = line() end
    return wrk.format("POST", "/v1/logs/batch", headers, "[" .. table.concat(batch, ",") .. "]")
end
