-- What wrk sends, by the word behind "--": small, pipelined (16 deep) or upload (1 MiB); and what it tells, as JSON.
local DEPTH = 16

function init(words)
    if words[1] == "pipelined" then
        local requests = string.rep(wrk.format(), DEPTH)
        request = function() return requests end
    end
    if words[1] == "upload" then
        wrk.method = "POST"
        wrk.body = string.rep("x", 1048576)
    end
end

-- wrk finds nothing where the percentile is the slowest of all.
local function percentile(latency, part)
    local found = latency:percentile(part)
    return found > 0 and found or latency.max
end

function done(summary, latency, _)
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    io.write(string.format('{"answers": %d, "us": %d, "failed": %d, "p50": %d, "p99": %d, "p999": %d}\n',
        summary.requests, summary.duration, failed,
        percentile(latency, 50), percentile(latency, 99), percentile(latency, 99.9)))
end
