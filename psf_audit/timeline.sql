-- What the activity of a deployment is made of. A block starts with its name; its one SELECT has the columns of a
-- criterion, over the views that criteria read. Moments are $start + step * $length / $steps milliseconds.

-- ask: range
-- From when to when there are calls, costs and milestones; how many calls, and how many of them have no price.
SELECT CAST(NULL AS BIGINT) AS ref, k.what, CASE k.what WHEN 'from' THEN e.called ELSE e.unpriced END AS found,
  CASE k.what WHEN 'from' THEN e.first_ms ELSE e.last_ms END AS at_ms
FROM (
  SELECT MIN(n.first_ms) AS first_ms, MAX(n.last_ms) AS last_ms, SUM(n.called) AS called,
    SUM(CASE WHEN c.name IS NULL THEN n.unpriced ELSE 0 END) AS unpriced
  FROM (
    SELECT name, MIN(at_ms) AS first_ms, MAX(ends_ms) AS last_ms, SUM(called) AS called, SUM(unpriced) AS unpriced
    FROM spending GROUP BY name
    UNION ALL
    SELECT NULL, MIN(at_ms), MAX(at_ms), 0, 0 FROM milestones
  ) AS n
  LEFT JOIN (SELECT DISTINCT name FROM capabilities WHERE cost_usd = 0) AS c ON c.name = n.name
) AS e
CROSS JOIN (SELECT 'from' AS what UNION ALL SELECT 'to') AS k;

-- ask: settled
SELECT CAST(NULL AS BIGINT) AS ref, '' AS what, SUM(usd) AS found, CAST(CEIL((ends_ms - $start) * $steps / $length) AS BIGINT) AS at_ms
FROM spending
WHERE usd > 0
GROUP BY CEIL((ends_ms - $start) * $steps / $length);

-- ask: accruing
-- What accrues counts from its first moment, at whole grains a millisecond, and no more once it is settled. A multiple of
-- the time divided by the time is whole, however large: so it is in every engine.
SELECT CAST(NULL AS BIGINT) AS ref, '' AS what, SUM(rate) AS found, SUM(rate * since) AS expected, step AS at_ms
FROM (
  SELECT CAST(ROUND((cost - MOD(cost, lasts)) / lasts) AS DECIMAL(19, 0)) AS rate, CAST(at_ms - $start AS DECIMAL(18, 0)) AS since,
    CAST(CEIL((at_ms - $start) * $steps / $length) AS BIGINT) AS step
  FROM (
    SELECT at_ms, ends_ms - at_ms AS lasts, CAST(CAST(usd AS DECIMAL(28, 9)) * $nano AS BIGINT) * $grains AS cost
    FROM spending WHERE ends_ms > at_ms
  ) AS b
  UNION ALL
  SELECT CAST(-ROUND((cost - MOD(cost, lasts)) / lasts) AS DECIMAL(19, 0)), CAST(at_ms - $start AS DECIMAL(18, 0)),
    CAST(CEIL((ends_ms - $start) * $steps / $length) AS BIGINT)
  FROM (
    SELECT at_ms, ends_ms, ends_ms - at_ms AS lasts, CAST(CAST(usd AS DECIMAL(28, 9)) * $nano AS BIGINT) * $grains AS cost
    FROM spending WHERE ends_ms > at_ms
  ) AS f
) AS a
GROUP BY step;

-- ask: marked
SELECT MIN(ref) AS ref, '' AS what, COUNT(*) AS found, MAX(at_ms) AS expected, MIN(at_ms) AS at_ms
FROM milestones
WHERE what = $kind
GROUP BY FLOOR((at_ms - $start) * ($steps - 1) / $length);

-- ask: ceilings
-- Of each ceiling its amount, and what counts against it if that is one sum: one session, one window ...
SELECT l.ref, '' AS what, l.amount AS found, CASE WHEN m.low = m.high AND m.since = m.upto THEN m.used END AS expected
FROM enforced_limits AS l
LEFT JOIN (
  SELECT limit_ref, MIN(who) AS low, MAX(who) AS high, MIN(bucket) AS since, MAX(bucket) AS upto, SUM(measure) AS used
  FROM metered GROUP BY limit_ref
) AS m ON m.limit_ref = l.ref
WHERE l.resource = 'usd' AND l.bound;

-- ask: stops
-- Limits to the minute, as `usage` counts; gates by time at the moment, gates by spend at the first call past them.
SELECT x.limit_ref AS ref, '' AS what, COUNT(DISTINCT x.who) AS found, MIN(x.at_ms + x.lag_seconds * 1000) AS at_ms
FROM (
  SELECT m.limit_ref, m.who, m.at_ms, m.lag_seconds, m.amount,
    SUM(m.measure) OVER (
      PARTITION BY m.limit_ref, m.who, m.bucket ORDER BY m.minute ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS upto
  FROM metered AS m
  JOIN (
    SELECT limit_ref, who, bucket FROM metered GROUP BY limit_ref, amount, who, bucket HAVING SUM(measure) >= amount
  ) AS s ON s.limit_ref = m.limit_ref AND s.who = m.who AND s.bucket = m.bucket
  JOIN enforced_limits AS l ON l.ref = m.limit_ref AND l.bound
) AS x
WHERE x.upto >= x.amount
GROUP BY x.limit_ref
UNION ALL
SELECT p.gate_ref, '', COUNT(*), MIN(p.at_ms)
FROM past_gate AS p
JOIN enforced_gates AS g ON g.ref = p.gate_ref AND g.bound
GROUP BY p.gate_ref
UNION ALL
SELECT g.ref, '', COUNT(DISTINCT s.run), MIN(s.first_ms + CAST(g.threshold * 1000 AS BIGINT))
FROM enforced_gates AS g
JOIN stretches AS s ON s.seconds > g.threshold
WHERE g.trigger = 'interval' AND g.unit = 'seconds' AND g.bound AND g.threshold > 0
GROUP BY g.ref;

-- ask: stretches
SELECT CAST(NULL AS BIGINT) AS ref, '' AS what, COUNT(*) AS found
FROM stretches;

-- ask: lengths
SELECT ref, run AS what, seconds AS found, usd AS expected, first_ms AS at_ms
FROM stretches
ORDER BY seconds DESC, ref LIMIT 20;

-- ask: counts
SELECT t.ref, t.run AS what, MAX(t.n) AS found, SUM(s.actions) AS expected
FROM (SELECT ref, run, stretch, n FROM stretches ORDER BY seconds DESC, ref LIMIT 20) AS t
JOIN spans AS s ON s.run = t.run AND s.stretch = t.stretch
GROUP BY t.ref, t.run;
