-- Sends the body of the variable LOAD, or GETs; prints the figures as one line of JSON at the end.
local given = os.getenv("LOAD")
local body = given:match('"body": "(.*)", "unique"')
local unique = given:match('"unique": true') ~= nil
local pause = tonumber(given:match('"pause": (%d+)'))
if body then
  body = body:gsub('\\"', '"'):gsub('\\\\', '\\')
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.body = body
end

local count, seed = 0, 0
function setup(thread)
  thread:set("seed", math.floor(os.time() % 100000) * 1000)
end

if pause > 0 then
  function delay()
    return math.random(0, 2 * pause) -- else all send in the same moment
  end
end

function request()
  if not unique then
    return wrk.format()
  end
  count = count + 1
  return wrk.format(nil, nil, nil, (body:gsub("@@", tostring(os.time()) .. "-" .. tostring(seed) .. "-" .. tostring(count))))
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"per_second": %.1f, "mean_ms": %.3f, "p50_ms": %.3f, "p95_ms": %.3f, "p99_ms": %.3f, "failed": %d, "answered": %d}\n',
    summary.requests / (summary.duration / 1e6), latency.mean / 1000, latency:percentile(50) / 1000,
    latency:percentile(95) / 1000, latency:percentile(99) / 1000,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout, summary.requests))
end
