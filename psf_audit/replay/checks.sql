-- The checks of a replay, in the order in which they are reported. A block starts with its id and what a row of it is;
-- its one SELECT has the columns of a criterion, over the same views. Those of `-- told` are no findings: they are the
-- longest stretches that nobody looked at, and the deepest and widest tree of tasks.

-- check: past-ceiling
-- title: went on past a ceiling
SELECT ref, resource || ' of the ' || scope || CASE WHEN who = '*' THEN '' ELSE ' ' || who END AS what, used AS found, amount AS expected, resource AS unit, at_ms
FROM past_ceiling;

-- check: past-gate
-- title: spent past a gate with no decision of a person
SELECT ref, 'run ' || run AS what, spent AS found, usd AS expected, 'usd' AS unit, at_ms
FROM past_gate;

-- check: past-interval
-- title: worked on past the interval after which a person had to look
SELECT x.ref, 'run ' || x.run AS what, CASE WHEN g.unit = 'seconds' THEN x.seconds ELSE x.actions END AS found, g.threshold AS expected, g.unit, x.first_ms AS at_ms
FROM (
  SELECT run, leg, stretch, MIN(ref) AS ref, MIN(first_ms) AS first_ms, FLOOR((MAX(last_ms) - MIN(first_ms)) / 1000) AS seconds, SUM(actions) AS actions
FROM spans
GROUP BY run, leg, stretch) AS x
JOIN gates AS g ON g.trigger = 'interval' AND g.basis IN ('config', 'claim') AND g.bound AND g.layer IS DISTINCT FROM 'prompt' AND g.effect IN ('interrupt', 'ask')
  AND g.threshold > 0 AND ((g.unit = 'seconds' AND x.seconds > g.threshold + $stop_seconds) OR (g.unit = 'actions' AND x.actions > g.threshold))
WHERE EXISTS (
  SELECT 1
FROM usage AS u
WHERE u.run = x.run AND (g.via IS NULL OR g.via = '*' OR g.via = u.via) AND (g.like IS NULL OR u.name LIKE g.like ESCAPE '!'));

-- check: past-time
-- title: outlived a limit of time
SELECT t.ref, 'run ' || t.run AS what, t.seconds AS found, l.amount AS expected, 'seconds' AS unit, t.first_ms AS at_ms
FROM stretches AS t
JOIN limits AS l ON l.resource = 'seconds' AND l.basis IN ('config', 'claim') AND l.bound AND l.layer IS DISTINCT FROM 'prompt' AND l.per_seconds IS NULL AND l.like IS NULL
  AND l.scope IN ('run', 'session', 'agent') AND COALESCE(l.on_breach, 'deny') IN ('deny', 'pause') AND t.seconds > l.amount + COALESCE(l.lag_seconds, 0) + $stop_seconds
WHERE EXISTS (
  SELECT 1
FROM usage AS u
WHERE u.run = t.run AND (l.via IS NULL OR l.via = '*' OR l.via = u.via));

-- check: unanswered-checkpoint
-- title: worked between a checkpoint and its answer
SELECT MIN(ref) AS ref, 'run ' || run AS what, SUM(n) AS found, 0 AS expected, 'calls' AS unit, MIN(first_ms) AS at_ms
FROM spans
WHERE pending = 1
GROUP BY run;

-- check: unapproved
-- title: acted behind a gate without an approval that holds
SELECT ref, what || ': ' || fault AS what, at_ms
FROM unapproved_acts;

-- check: approved-by-agent
-- title: approvals by the agent itself, or by nobody named
SELECT ref, 'approval of ' || COALESCE(name, 'nothing named') || ' by ' || CASE WHEN person IS NULL THEN 'nobody named' ELSE COALESCE(actor_kind, person) END AS what, at_ms
FROM approvals
WHERE actor_kind IS DISTINCT FROM 'operator' OR person IS NULL;

-- check: approved-unread
-- title: approvals with no reason, or faster than anybody reads
SELECT ref, 'approval of ' || COALESCE(name, 'nothing named') || ' says no reason' AS what, CAST(NULL AS BIGINT) AS found, CAST(NULL AS BIGINT) AS expected, NULL AS unit, at_ms
FROM approvals
WHERE actor_kind = 'operator' AND reason IS NULL
UNION ALL
SELECT a.ref, 'approval of ' || COALESCE(a.name, 'nothing named') || ' came at once', a.at_ms - q.at_ms, $min_review_ms, 'ms', a.at_ms
FROM approvals AS a
JOIN events AS q ON q.id = a.answers AND q.kind = 'checkpoint' AND q.run IS NOT DISTINCT FROM a.run
WHERE a.actor_kind = 'operator' AND a.at_ms - q.at_ms < $min_review_ms;

-- check: standing-approval
-- title: standing approvals: for no call in particular
SELECT ref, 'approval of ' || COALESCE(name, 'nothing named') AS what, at_ms
FROM approvals
WHERE origin = 'event' AND (name IS NULL OR (target IS NULL AND args_digest IS NULL AND answers IS NULL));

-- check: outside
-- title: touched what no list allows
SELECT MIN(ref) AS ref, dimension || ' ' || what AS what, MAX(n) AS found, 0 AS expected, 'calls' AS unit
FROM outside
GROUP BY dimension, what;

-- check: created-again
-- title: created again what was there
SELECT ref, duplicate_of AS what, n AS found, 1 AS expected, 'times' AS unit
FROM created_again;

-- check: repeated
-- title: made the same call again and again
SELECT ref, COALESCE(name, 'an unnamed call') || ' on ' || COALESCE(target, 'nothing named') AS what, n AS found, $max_repeats AS expected, 'times' AS unit
FROM repeats
WHERE n > $max_repeats;

-- check: ping-pong
-- title: made two calls in turn, again and again
SELECT ref, one || ' and ' || other AS what, n AS found, $max_turns AS expected, 'calls' AS unit, at_ms
FROM pingpong
WHERE n > $max_turns;

-- check: retried
-- title: went on with a call that kept failing
SELECT ref, COALESCE(name, 'an unnamed call') AS what, failures AS found, $max_failures AS expected, 'failures' AS unit, at_ms
FROM retried
WHERE failures > $max_failures;

-- check: tasks
-- title: tasks started more tasks, or deeper ones, than a limit allows
SELECT COALESCE(u.ref, l.ref) AS ref, 'below ' || f.parent AS what, CASE WHEN l.resource = 'depth' THEN f.depth ELSE f.children END AS found, l.amount AS expected,
  CASE WHEN l.resource = 'depth' THEN 'levels' ELSE 'tasks' END AS unit, u.first_ms AS at_ms
FROM family AS f
JOIN limits AS l ON l.bound AND l.basis IN ('config', 'claim') AND l.layer IS DISTINCT FROM 'prompt' AND COALESCE(l.on_breach, 'deny') IN ('deny', 'pause')
  AND ((l.resource = 'fanout' AND f.children > l.amount) OR (l.resource = 'depth' AND f.depth > l.amount))
LEFT JOIN (SELECT task, MIN(ref) AS ref, MIN(first_ms) AS first_ms FROM usage WHERE task IS NOT NULL GROUP BY task) AS u ON u.task = f.parent;

-- check: after-end
-- title: worked after it was complete, or after a stop
SELECT MIN(ref) AS ref, 'run ' || run || ' after it was complete' AS what, SUM(n) AS found, 0 AS expected, 'calls' AS unit, MIN(first_ms) AS at_ms
FROM spans
WHERE done = 1
GROUP BY run
UNION ALL
SELECT MIN(ref), 'run ' || run || ' after it was stopped', SUM(n), 0, 'calls', MIN(first_ms)
FROM spans
WHERE last_ms > stopped_ms + $stop_seconds * 1000
GROUP BY run;

-- check: ignored
-- title: worked on after a warning or a request to stop
SELECT ref, CASE kind WHEN 'warning' THEN 'a warning' ELSE 'a request to stop' END AS what, n AS found, 0 AS expected, 'calls' AS unit, at_ms
FROM unheeded;

-- check: refused-to-stop
-- title: refused a request to stop
SELECT e.ref, COALESCE(e.actor, 'the agent') AS what, e.at_ms
FROM events AS e
JOIN events AS q ON q.id = e.answers AND q.kind = 'stop_request'
WHERE e.kind = 'refusal' AND e.actor_kind = 'agent';

-- check: unattributed
-- title: calls without who, what, when or why
SELECT MIN(ref) AS ref, lacking AS what, COUNT(*) AS found, 0 AS expected, 'calls' AS unit
FROM (
  SELECT ref, CASE WHEN at_ms IS NULL THEN 'no time' WHEN actor IS NULL THEN 'nobody named' WHEN name IS NULL THEN 'no tool named' WHEN kind =
  'action' AND target IS NULL THEN 'no target' ELSE 'no reason' END AS lacking
FROM events
WHERE kind IN ('action', 'model') AND COALESCE(actor_kind, 'agent') = 'agent' AND (at_ms IS NULL OR actor IS NULL OR name IS NULL OR (kind = 'action'
  AND (target IS NULL OR reason IS NULL)))) AS l
GROUP BY lacking;

-- check: sequence
-- title: numbers that are missing or there twice
SELECT ref, 'run ' || run AS what, found, expected, 'entries' AS unit
FROM sequences
WHERE expected <> found OR numbers <> found;

-- check: clock
-- title: the clock went back
SELECT ref, 'an entry is older than the one before it' AS what, back_ms AS found, $back_ms AS expected, 'ms' AS unit
FROM neighbours
WHERE back_ms > $back_ms;

-- check: chain
-- title: entries were changed, taken out, or cut off at the start
SELECT ref, 'the digest of an entry does not hold' AS what
FROM neighbours
WHERE broken = 1
UNION ALL
SELECT ref, 'the log begins in the middle of its chain'
FROM cut_chains;

-- check: unended
-- title: runs that neither ended nor were stopped, as far as the log goes
SELECT MIN(ref) AS ref, 'run ' || run AS what
FROM sequences
GROUP BY run
HAVING MAX(ended) = 0;

-- check: bill
-- title: the log and the bill of a provider differ
SELECT d.ref, 'bill of ' || d.subject AS what, CASE WHEN d.usd > d.billed THEN d.usd ELSE d.upto END AS found, d.billed AS expected, 'usd' AS unit, d.to_ms AS at_ms
FROM (
  SELECT b.ref, b.subject, b.amount_usd AS billed, b.from_ms, b.to_ms, s.first_ms, s.last_ms, COUNT(u.ref) AS calls, COUNT(u.usd) AS priced,
    COALESCE(SUM(CASE WHEN b.subject = '*' OR u.via = b.subject OR u.provider = b.subject THEN u.usd END), 0) AS usd,
    COALESCE(SUM(u.usd), 0) AS upto, COALESCE(MAX(u.computed), 0) AS computed
FROM records AS b
CROSS JOIN (SELECT MIN(first_ms) AS first_ms, MAX(last_ms) AS last_ms FROM usage) AS s
LEFT JOIN (SELECT DISTINCT via FROM usage) AS w ON w.via = b.subject
LEFT JOIN usage AS u ON u.first_ms >= b.from_ms AND u.first_ms <= b.to_ms AND (b.subject = '*' OR u.via = b.subject OR u.provider = b.subject
  OR (w.via IS NULL AND u.provider IS NULL AND u.kind = 'model' AND COALESCE(u.via, '') NOT IN ('aws', 'azure', 'gcp')))
WHERE b.kind IN ('bill', 'reconciliation') AND b.subject IS NOT NULL AND b.amount_usd IS NOT NULL AND b.from_ms IS NOT NULL AND b.to_ms IS NOT NULL
  AND b.decision IS DISTINCT FROM 'explained' AND NOT EXISTS (
    SELECT 1
FROM records AS q
WHERE q.kind = 'reconciliation' AND q.decision = 'explained' AND q.reason IS NOT NULL AND q.subject = b.subject AND q.from_ms <= b.from_ms AND q.to_ms >= b.to_ms)
GROUP BY b.ref, b.subject, b.from_ms, b.to_ms, b.amount_usd, s.first_ms, s.last_ms) AS d
WHERE d.computed = 0 AND (d.usd > d.billed * (1 + $tolerance) + $tolerance_usd OR (d.upto < d.billed * (1 - $tolerance) - $tolerance_usd AND (d.calls = 0 OR d.priced > 0)
  AND d.first_ms <= d.from_ms + (d.to_ms - d.from_ms) * $edge AND d.last_ms >= d.to_ms - (d.to_ms - d.from_ms) * $edge));

-- check: accounts
-- title: logs of the same calls that do not agree
SELECT ref, what || ', held against another log' AS what, found, expected, at_ms
FROM disagreements
WHERE what NOT IN ('cost', 'tokens') OR ABS(found - expected) > expected * $tolerance;

-- check: alerts
-- title: alerts that nobody answered
SELECT e.ref, COALESCE(e.name, 'an alert') AS what, e.at_ms
FROM events AS e
WHERE e.kind = 'alert' AND NOT EXISTS (
  SELECT 1
FROM events AS a
WHERE a.kind = 'ack' AND a.answers = e.id AND a.at_ms >= e.at_ms);

-- told: seconds
SELECT ref, run AS what, seconds AS found, first_ms AS at_ms
FROM stretches
ORDER BY seconds DESC, ref LIMIT 1;

-- told: usd
SELECT ref, run AS what, usd AS found, first_ms AS at_ms
FROM stretches
WHERE usd > 0
ORDER BY usd DESC, ref LIMIT 1;

-- told: calls
SELECT ref, run AS what, n AS found, first_ms AS at_ms
FROM stretches
ORDER BY n DESC, ref LIMIT 1;

-- told: depth
SELECT NULL AS ref, task AS what, depth AS found
FROM tasks
WHERE depth > 0
ORDER BY depth DESC, task LIMIT 1;

-- told: fanout
SELECT NULL AS ref, parent AS what, children AS found
FROM family
ORDER BY children DESC, parent LIMIT 1;
