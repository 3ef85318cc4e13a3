-- Part of Rollcall. SPDX-License-Identifier: Apache-2.0
-- Asks for the status of one rollout after the other, of BENCH_COUNT.

dofile(os.getenv("BENCH_FOLDER") .. "/result.lua")

local count = tonumber(os.getenv("BENCH_COUNT"))
local number = 0

function request()
    number = (number + 1) % count
    return wrk.format("GET", "/v1/status?rollout_id=poll-" .. number, headers)
end
