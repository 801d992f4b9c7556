-- The views that criteria read. A block starts with its name and meaning; `kept` views are computed once.
-- Only SQL that sqlglot translates to Spark without loss is used here; times are milliseconds, windows spell out frames.

-- view: enforced_limits
-- meaning: limits that configuration enforces: they stop the agent, outside a prompt and outside the agent's own code
SELECT * FROM limits
WHERE basis = 'config' AND amount IS NOT NULL AND layer IN ('infrastructure', 'gateway', 'harness') AND on_breach IN ('deny', 'pause');

-- view: outside_limits
-- meaning: enforced limits that live outside the agent and its harness
SELECT * FROM enforced_limits WHERE layer IN ('infrastructure', 'gateway');

-- view: enforced_gates
-- meaning: gates that configuration enforces and that stop the agent
SELECT * FROM gates
WHERE basis = 'config' AND layer IN ('infrastructure', 'gateway', 'harness') AND effect IN ('interrupt', 'ask', 'deny');

-- view: enforced_boundaries
-- meaning: allowances and refusals that configuration enforces
SELECT * FROM boundaries WHERE basis = 'config' AND layer IN ('infrastructure', 'gateway', 'harness');

-- view: acts
-- meaning: what the agent did: actions and model calls that were not refused and did not fail
SELECT e.ref, e.source, e.ord, e.at_ms, e.run, e.session, e.task, e.kind, e.actor, e.name, e.target, e.credential,
  e.cost_usd, e.approval, e.args_digest, COALESCE(e.via, c.via) AS via
FROM events AS e
LEFT JOIN (SELECT name, MAX(via) AS via FROM capabilities WHERE via IS NOT NULL GROUP BY name) AS c ON c.name = e.name
WHERE e.actor_kind = 'agent' AND e.kind IN ('action', 'model') AND COALESCE(e.outcome, 'ok') = 'ok';

-- view: usage
-- meaning: the agent's spend, tokens and calls by run, session, task, actor, credential, name, via, provider and minute: the only aggregate over all events
-- kept
SELECT u.run, u.session, u.task, u.actor, u.credential, u.kind, u.name, COALESCE(u.via, c.via) AS via, u.provider, u.minute, u.n, u.usd,
  u.tokens, u.top_tokens, u.ref, u.top_usd, u.first_ms, u.last_ms, u.computed
FROM (
  SELECT run, session, task, actor, credential, kind, name, via, provider, FLOOR(at_ms / 60000) AS minute, COUNT(*) AS n,
    SUM(cost_usd) AS usd, SUM(COALESCE(tokens_in, 0) + COALESCE(tokens_out, 0)) AS tokens,
    MAX(COALESCE(tokens_in, 0) + COALESCE(tokens_out, 0)) AS top_tokens, MIN(ref) AS ref, MAX(cost_usd) AS top_usd, MIN(at_ms) AS first_ms,
    MAX(at_ms) AS last_ms, MAX(CASE WHEN priced_by IS NOT NULL THEN 1 ELSE 0 END) AS computed
  FROM events
  WHERE actor_kind = 'agent' AND kind IN ('action', 'model') AND (COALESCE(outcome, 'ok') = 'ok' OR cost_usd > 0)
  GROUP BY run, session, task, actor, credential, kind, name, via, provider, FLOOR(at_ms / 60000)
) AS u
LEFT JOIN (SELECT name, MAX(via) AS via FROM capabilities WHERE via IS NOT NULL GROUP BY name) AS c ON c.name = u.name;

-- view: reach
-- meaning: every capability, declared or seen in the log, one row a name; paid unless known to be free
-- kept
SELECT name, MIN(ref) AS ref, MAX(kind) AS kind, MAX(effect) AS effect, MAX(via) AS via, MAX(irreversible) AS irreversible,
  MAX(paid) AS paid, MAX(declared) AS declared
FROM (
  SELECT name, ref, kind, effect, via, CASE WHEN reversible IS FALSE THEN 1 ELSE 0 END AS irreversible,
    CASE WHEN cost_usd IS NULL OR cost_usd > 0 OR kind = 'model' THEN 1 ELSE 0 END AS paid,
    CASE WHEN basis = 'claim' THEN 1 ELSE 0 END AS declared
  FROM capabilities
  UNION ALL
  SELECT name, MIN(ref), MAX(CASE WHEN kind = 'model' THEN 'model' ELSE 'tool' END), NULL, MAX(via), 0,
    MAX(CASE WHEN usd > 0 THEN 1 ELSE 0 END), 0
  FROM usage WHERE name IS NOT NULL GROUP BY name
) AS c
GROUP BY name;

-- view: paths
-- meaning: every capability with each via it is declared or seen through: a way around a gateway is a row of its own
-- kept
SELECT name, via, MIN(ref) AS ref
FROM (
  SELECT name, via, ref FROM reach
  UNION ALL
  SELECT name, via, ref FROM capabilities WHERE via IS NOT NULL
  UNION ALL
  SELECT name, via, MIN(ref) FROM usage GROUP BY name, via
) AS p
WHERE name IS NOT NULL GROUP BY name, via;

-- view: bounded_reach
-- meaning: which enforced limit of this release binds which capability: a limit binds only what goes through its via
-- kept
SELECT l.ref AS limit_ref, l.resource, l.amount, l.scope, l.layer, l.per_seconds, l.lag_seconds, l.on_breach, l.like, r.name
FROM enforced_limits AS l
JOIN reach AS r ON (l.via = '*' OR l.via = r.via) AND (l.like IS NULL OR r.name LIKE l.like ESCAPE '!')
WHERE l.bound;

-- view: metered
-- meaning: the usage against the limits that count it: one row a limit, who, window and minute; factor is how many windows a bucket can touch
-- kept
SELECT limit_ref, resource, scope, amount, lag_seconds, layer, per_seconds, factor, who, bucket, minute, SUM(measure) AS measure,
  MAX(top) AS top, MIN(ref) AS ref, MIN(first_ms) AS at_ms
FROM (
  SELECT l.ref AS limit_ref, l.resource, l.scope, l.amount, COALESCE(l.lag_seconds, 0) AS lag_seconds, l.layer, l.per_seconds,
    u.minute, u.ref, u.first_ms,
    CASE WHEN l.per_seconds IS NULL THEN 1 WHEN MOD(l.per_seconds, 60) = 0 AND l.aligned THEN 1 WHEN MOD(l.per_seconds, 60) = 0 THEN 2
      WHEN l.per_seconds > 60 THEN 3 ELSE FLOOR(60 / l.per_seconds) + 2 END AS factor,
    CASE l.scope WHEN 'session' THEN u.session WHEN 'run' THEN u.run WHEN 'task' THEN COALESCE(t.root, u.task) WHEN 'agent' THEN u.actor
      WHEN 'key' THEN u.credential WHEN 'tool' THEN u.name WHEN 'target' THEN NULL ELSE '*' END AS who,
    CASE WHEN l.per_seconds IS NULL THEN 0 ELSE FLOOR(u.minute * 60 / l.per_seconds) END AS bucket,
    CASE WHEN l.resource = 'usd' THEN u.usd WHEN l.resource = 'tokens' THEN CAST(u.tokens AS DECIMAL(38, 9))
      WHEN l.resource = 'actions' AND u.kind <> 'action' THEN CAST(0 AS DECIMAL(38, 9)) ELSE CAST(u.n AS DECIMAL(38, 9)) END AS measure,
    CASE l.resource WHEN 'usd' THEN u.top_usd WHEN 'tokens' THEN CAST(LEAST(u.top_tokens, 900000000) AS DECIMAL(18, 9)) ELSE CAST(1 AS DECIMAL(18, 9)) END AS top
  FROM usage AS u
  LEFT JOIN tasks AS t ON t.task = u.task
  CROSS JOIN limits AS l
  WHERE l.basis IN ('config', 'claim') AND l.bound AND l.layer IS DISTINCT FROM 'prompt' AND l.amount IS NOT NULL
    AND COALESCE(l.on_breach, 'deny') IN ('deny', 'pause') AND l.resource IN ('usd', 'tokens', 'requests', 'actions')
    AND COALESCE(l.per_seconds, 60) > 0
    AND (l.via IS NULL OR l.via = '*' OR l.via = u.via) AND (l.like IS NULL OR u.name LIKE l.like ESCAPE '!')
) AS m
WHERE who IS NOT NULL
GROUP BY limit_ref, resource, scope, amount, lag_seconds, layer, per_seconds, factor, who, bucket, minute;

-- view: meters
-- meaning: the windows in which a limit was passed in sum
-- kept
SELECT limit_ref, who, bucket, SUM(measure) AS used, MAX(top) AS top
FROM metered GROUP BY limit_ref, amount, factor, who, bucket HAVING SUM(measure) > amount * factor;

-- view: past_ceiling
-- meaning: work in a later minute than the one that reached the ceiling (its lag allowed), or more at once than ten of the dearest calls in flight explain
-- kept
SELECT limit_ref, resource, scope, amount, layer, per_seconds, who, MIN(ref) AS ref, MAX(used) AS used, MIN(at_ms) AS at_ms
FROM (
  SELECT r.limit_ref, r.resource, r.scope, r.amount, r.layer, r.per_seconds, r.who, r.bucket, r.ref, r.used, r.at_ms, r.minute, r.measure,
    r.lag_seconds, r.factor, r.dearest,
    MIN(CASE WHEN r.upto >= r.amount * r.factor THEN r.minute END) OVER (PARTITION BY r.limit_ref, r.who, r.bucket) AS reached
  FROM (
    SELECT x.limit_ref, x.resource, x.scope, x.amount, x.layer, x.per_seconds, x.who, x.bucket, x.ref, x.at_ms, x.minute, x.measure,
      x.lag_seconds, x.factor, m.used, m.top AS dearest,
      SUM(x.measure) OVER (PARTITION BY x.limit_ref, x.who, x.bucket ORDER BY x.minute ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS upto
    FROM metered AS x
    JOIN meters AS m ON m.limit_ref = x.limit_ref AND m.who = x.who AND m.bucket = x.bucket
  ) AS r
) AS p
WHERE measure > 0 AND (minute > reached + CEIL(lag_seconds / 60) OR (minute = reached AND used > (amount + 10 * dearest) * factor AND lag_seconds = 0))
GROUP BY limit_ref, resource, scope, amount, layer, per_seconds, who, bucket;

-- view: marks
-- meaning: every event that is not work, with the state it leaves its run in: few rows
-- kept
SELECT DISTINCT run, ord,
  SUM(CASE WHEN actor_kind = 'operator' AND kind IN ('approval', 'refusal', 'resume', 'stop') THEN 1 ELSE 0 END) OVER (PARTITION BY run ORDER BY ord) AS stretch,
  SUM(CASE WHEN kind IN ('checkpoint', 'pause') THEN 1 ELSE 0 END) OVER (PARTITION BY run ORDER BY ord) AS leg,
  MAX(CASE WHEN kind = 'checkpoint' THEN ord END) OVER (PARTITION BY run ORDER BY ord) AS asked,
  MAX(CASE WHEN kind IN ('approval', 'refusal', 'resume') AND actor_kind = 'operator' THEN ord END) OVER (PARTITION BY run ORDER BY ord) AS answered,
  MAX(CASE WHEN kind = 'stop' THEN ord END) OVER (PARTITION BY run ORDER BY ord) AS stopped,
  MAX(CASE WHEN kind = 'stop' THEN at_ms END) OVER (PARTITION BY run ORDER BY ord) AS stopped_ms,
  MAX(CASE WHEN kind = 'complete' THEN ord END) OVER (PARTITION BY run ORDER BY ord) AS done,
  MAX(CASE WHEN kind IN ('start', 'resume') THEN ord END) OVER (PARTITION BY run ORDER BY ord) AS began,
  MAX(CASE WHEN kind = 'stop_request' THEN ord END) OVER (PARTITION BY run ORDER BY ord) AS begged
FROM events WHERE kind NOT IN ('action', 'model') AND run IS NOT NULL AND ord IS NOT NULL;

-- view: decision_gap
-- meaning: the column that "no human decided" rests on: kind where the log records checkpoints or decisions, else approval
-- kept
SELECT CASE WHEN e.records = 1 AND e.named IS NULL AND g.n = 0 THEN 'events.kind' ELSE 'events.approval' END AS absent
FROM (
  SELECT MAX(CASE WHEN kind = 'checkpoint' OR (actor_kind = 'operator' AND kind IN ('approval', 'refusal', 'resume')) THEN 1 ELSE 0 END) AS records,
    MAX(approval) AS named
  FROM events
) AS e
CROSS JOIN (SELECT COUNT(*) AS n FROM gaps WHERE facts = 'events.approval') AS g;

-- view: work
-- meaning: the agent's work between two marks of a run: the one window over all events
-- kept
SELECT run, mark, COUNT(*) AS n, SUM(action) AS actions, SUM(cost_usd) AS usd, MIN(at_ms) AS first_ms, MAX(at_ms) AS last_ms, MIN(ref) AS ref
FROM (
  SELECT ref, run, at_ms, cost_usd, act, action,
    MAX(CASE WHEN mark = 1 THEN ord END) OVER (PARTITION BY run ORDER BY ord) AS mark
  FROM (
    SELECT ref, run, ord, at_ms, cost_usd, CASE WHEN kind NOT IN ('action', 'model') THEN 1 ELSE 0 END AS mark,
      CASE WHEN kind = 'action' THEN 1 ELSE 0 END AS action,
      CASE WHEN kind IN ('action', 'model') AND actor_kind = 'agent' AND COALESCE(outcome, 'ok') = 'ok' THEN 1 ELSE 0 END AS act
    FROM events WHERE run IS NOT NULL AND ord IS NOT NULL
  ) AS e
) AS w
WHERE act = 1 GROUP BY run, mark;

-- view: spans
-- meaning: each piece of work with the state of its run: unanswered checkpoint, stopped, done, asked to stop
-- kept
SELECT w.run, w.mark, w.n, w.actions, w.usd, w.first_ms, w.last_ms, w.ref, COALESCE(m.stretch, 0) AS stretch, COALESCE(m.leg, 0) AS leg,
  CASE WHEN m.asked > COALESCE(m.answered, 0) THEN 1 ELSE 0 END AS pending,
  CASE WHEN m.stopped > COALESCE(m.began, 0) THEN m.stopped_ms END AS stopped_ms,
  CASE WHEN m.done > COALESCE(m.began, 0) THEN 1 ELSE 0 END AS done,
  CASE WHEN m.begged > COALESCE(m.answered, 0) AND m.begged > COALESCE(m.stopped, 0) THEN 1 ELSE 0 END AS begged
FROM work AS w LEFT JOIN marks AS m ON m.run = w.run AND m.ord = w.mark;

-- view: stretches
-- meaning: work between two human decisions, with its length, spend and number of actions
-- kept
SELECT run, stretch, MIN(ref) AS ref, MIN(first_ms) AS first_ms, MAX(last_ms) AS last_ms,
  FLOOR((MAX(last_ms) - MIN(first_ms)) / 1000) AS seconds, SUM(usd) AS usd, SUM(n) AS n
FROM spans GROUP BY run, stretch;

-- view: legs
-- meaning: work between two checkpoints or pauses
-- kept
SELECT run, leg, MIN(ref) AS ref, FLOOR((MAX(last_ms) - MIN(first_ms)) / 1000) AS seconds, SUM(n) AS n FROM spans GROUP BY run, leg;

-- view: money_gates
-- meaning: spend gates with their threshold in USD; a percentage is of the lowest enforced ceiling that is not for one task
SELECT g.ref, g.basis, g.effect, g.on_timeout, g.approvers, g.via, g.like, CASE WHEN g.unit = 'percent' THEN g.threshold * c.amount * 0.01 ELSE g.threshold END AS usd
FROM gates AS g
LEFT JOIN (
  SELECT MIN(amount) AS amount FROM enforced_limits
  WHERE resource = 'usd' AND scope IN ('session', 'run', 'account', 'project', 'agent', 'key') AND bound
) AS c ON TRUE
WHERE g.trigger = 'spend' AND g.basis IN ('config', 'claim') AND g.effect IN ('interrupt', 'ask', 'deny') AND g.bound
  AND g.layer IS DISTINCT FROM 'prompt';

-- view: past_gate
-- meaning: paid work that went on past a spend gate with no human decision in between
-- kept
SELECT gate_ref, usd, run, MIN(ref) AS ref, COUNT(*) AS n, MAX(upto) AS spent, MIN(at_ms) AS at_ms
FROM (
  SELECT g.ref AS gate_ref, g.usd, a.run, a.ref, a.at_ms, a.cost_usd,
    SUM(a.cost_usd) OVER (PARTITION BY g.ref, a.run, t.stretch ORDER BY a.ord, a.ref ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS upto
  FROM stretches AS t
  JOIN money_gates AS g ON t.usd > g.usd
  JOIN acts AS a ON a.run = t.run AND a.at_ms >= t.first_ms AND a.at_ms <= t.last_ms
    AND (g.via IS NULL OR g.via = '*' OR g.via = a.via) AND (g.like IS NULL OR a.name LIKE g.like ESCAPE '!')
) AS x
WHERE cost_usd > 0 AND upto - cost_usd >= usd
GROUP BY gate_ref, usd, run;

-- view: approvals
-- meaning: approvals in the log and in records, by whom and for what
-- kept
SELECT ref, source, id, at_ms, run, actor AS person, actor_kind, name, target, args_digest, answers, shown, reason, 'event' AS origin
FROM events WHERE kind = 'approval'
UNION ALL
SELECT ref, source, pointer, at_ms, run, person, 'operator', subject, NULL, NULL, NULL, fields, reason, 'record' FROM records WHERE kind = 'approval';

-- view: gated_names
-- meaning: capabilities that a gate, or their own nature, puts behind a human: publishing, deleting, paying and what cannot be undone
-- kept
SELECT DISTINCT r.name FROM reach AS r
WHERE r.effect IN ('publish', 'delete', 'pay') OR (r.irreversible = 1 AND r.effect IS DISTINCT FROM 'read')
  OR EXISTS (
    SELECT 1 FROM gates AS g
    WHERE g.trigger = 'action' AND g.layer IS DISTINCT FROM 'prompt' AND g.bound AND g.effect IN ('interrupt', 'ask', 'deny')
      AND r.name LIKE g.like ESCAPE '!');

-- view: gated_acts
-- meaning: what the agent did behind a gate, with the approval it names; numbers that start anew in each run are of that run
-- kept
SELECT a.ref, a.source, p.ref AS approval_ref, p.source AS approval_source, a.at_ms, a.run, a.name, a.target, a.args_digest, a.approval, p.id AS found, p.actor_kind AS approver_kind, p.person,
  p.name AS approved_name, p.target AS approved_target, p.args_digest AS approved_digest, p.at_ms AS approved_ms
FROM acts AS a
JOIN gated_names AS n ON n.name = a.name
LEFT JOIN (
  SELECT s.*, n.n FROM approvals AS s JOIN (SELECT id, COUNT(*) AS n FROM approvals WHERE id IS NOT NULL GROUP BY id) AS n ON n.id = s.id
) AS p ON p.id = a.approval AND (p.n = 1 OR p.run IS NULL OR a.run IS NULL OR p.run = a.run)
WHERE a.kind = 'action';

-- view: unapproved_acts
-- meaning: acts behind a gate whose approval is missing, not a human's, too late, or for something else
-- kept
SELECT f.ref, f.approval_ref, f.at_ms, f.what, f.fault,
  CASE WHEN f.fault IN ('no approval', 'names an approval that no record holds') AND (u.n = 0 OR u.others > 0 OR n.source IS NULL) THEN 'events.approval'
    WHEN f.fault = 'approved by nobody named' AND f.approver_kind IS NULL AND w.source IS NOT NULL THEN 'events.approval' END AS absent
FROM (
  SELECT ref, source, approval_ref, approval_source, approver_kind, at_ms, name || ' on ' || COALESCE(target, 'an unnamed target') AS what,
    CASE WHEN approval IS NULL THEN 'no approval' WHEN found IS NULL THEN 'names an approval that no record holds'
      WHEN approver_kind <> 'operator' THEN 'approved by ' || approver_kind
      WHEN approved_ms > at_ms THEN 'approved afterwards'
      WHEN approved_name IS NULL OR approved_name <> name THEN 'the approval is standing, or for something else'
      WHEN approved_digest IS NOT NULL AND args_digest IS NOT NULL AND approved_digest <> args_digest THEN 'the approval is for other arguments'
      WHEN approved_target IS NOT NULL AND target IS NOT NULL AND approved_target <> target THEN 'the approval is for another target'
      WHEN approver_kind IS NULL OR person IS NULL THEN 'approved by nobody named' END AS fault
  FROM gated_acts
) AS f
-- A log may name approvals and not say who gave them: that hides neither a call that has none, nor what one was for.
LEFT JOIN (
  SELECT DISTINCT source FROM gated_acts WHERE found IS NOT NULL AND approver_kind IS DISTINCT FROM 'system'
) AS n ON n.source = f.source
LEFT JOIN (SELECT DISTINCT source FROM gaps WHERE facts = 'events.approval' AND kind = 'not_supplied') AS w ON w.source = f.approval_source
CROSS JOIN (
  SELECT SUM(CASE WHEN facts = 'events.approval' AND kind = 'not_supplied' THEN 1 ELSE 0 END) AS n,
    SUM(CASE WHEN kind <> 'not_supplied' AND (facts IS NULL OR facts IN ('events', 'events.approval')) THEN 1 ELSE 0 END) AS others
  FROM (SELECT facts, kind FROM gaps UNION ALL SELECT 'none', 'none') AS k
) AS u
WHERE f.fault IS NOT NULL;

-- view: deeds
-- meaning: what the actions of the agent were done with and to, of those that were not refused and did not fail; says nothing of approvals
SELECT e.ref, e.name, e.target, COALESCE(e.via, c.via) AS via
FROM events AS e
LEFT JOIN (SELECT name, MAX(via) AS via FROM capabilities WHERE via IS NOT NULL GROUP BY name) AS c ON c.name = e.name
WHERE e.actor_kind = 'agent' AND e.kind = 'action' AND COALESCE(e.outcome, 'ok') = 'ok';

-- view: reached
-- meaning: the distinct tools, targets, paths and commands of the agent, with the host and address in a target
-- kept
SELECT 'tool' AS dimension, a.name AS v, a.via, CAST(NULL AS VARCHAR) AS host, CAST(NULL AS VARCHAR) AS address, MIN(a.ref) AS ref, COUNT(*) AS n
FROM deeds AS a WHERE a.name IS NOT NULL GROUP BY a.name, a.via
UNION ALL
SELECT CASE MAX(d.form) WHEN 'path' THEN 'path' WHEN 'command' THEN 'command' ELSE 'target' END, a.target, a.via, MAX(d.host), MAX(d.key),
  MIN(a.ref), COUNT(*)
FROM deeds AS a LEFT JOIN addresses AS d ON d.value = a.target
WHERE a.target IS NOT NULL GROUP BY a.target, a.via;

-- view: judged
-- meaning: what was touched against the allowances and refusals of its via: denied, allowed, and whether anything not allowed is refused
-- kept
SELECT CASE WHEN r.dimension = 'path' THEN b.dimension ELSE r.dimension END AS dimension, r.v, r.via, r.ref, r.n, b.basis, MIN(b.ref) AS boundary_ref,
  MAX(CASE WHEN b.effect = 'deny' AND b.is_default IS NOT TRUE AND (r.v LIKE b.like ESCAPE '!' OR r.host LIKE LOWER(b.like) ESCAPE '!' OR r.address BETWEEN b.lo AND b.hi
    OR (b.via = 'aws' AND b.dimension = 'tool' AND LOWER(r.v) LIKE LOWER(b.like) ESCAPE '!')) THEN 1 ELSE 0 END) AS denied,
-- From which folder a relative path counts is not known: an allowance of one may be of any.
  MAX(CASE WHEN b.effect IN ('allow', 'ask') AND (b.is_default OR (r.dimension = 'path' AND (b.like LIKE '.%' OR b.like LIKE '~%'))
    OR r.host LIKE LOWER(b.like) ESCAPE '!' OR (r.host IS NULL AND r.v LIKE b.like ESCAPE '!') OR (b.like LIKE '%/%' AND r.v LIKE b.like ESCAPE '!') OR r.address BETWEEN b.lo AND b.hi
    OR (b.via = 'aws' AND b.dimension = 'tool' AND LOWER(r.v) LIKE LOWER(b.like) ESCAPE '!')) THEN 1 ELSE 0 END) AS allowed,
  MAX(CASE WHEN (b.effect IN ('allow', 'ask') AND b.is_default IS NOT TRUE) OR (b.effect = 'deny' AND b.is_default) THEN 1 ELSE 0 END) AS listed
FROM reached AS r
-- A path is held against paths alone, in whatever list they stand; a command against nothing but the tool that ran it.
JOIN boundaries AS b ON (b.dimension = r.dimension OR (r.dimension = 'target' AND b.dimension = 'network' AND r.host IS NOT NULL)
    OR (r.dimension = 'path' AND b.dimension = 'target' AND b.like LIKE '%/%' AND b.like NOT LIKE '%://%'))
  AND b.basis IN ('config', 'claim') AND b.bound AND b.layer IS DISTINCT FROM 'prompt' AND (b.via IS NULL OR b.via = '*' OR b.via = r.via)
-- The policies of AWS are written service:Action in letters of any size, and name resources by ARN; a log may name the same calls and resources
-- otherwise, and of those they say nothing.
  AND (b.dimension <> 'tool' OR b.via IS DISTINCT FROM 'aws' OR r.v LIKE '%:%' ESCAPE '!')
  AND (b.dimension <> 'target' OR b.via IS DISTINCT FROM 'aws' OR r.v LIKE 'arn:%' OR b.like IS NULL OR b.like NOT LIKE 'arn:%')
GROUP BY r.dimension, r.v, r.via, r.ref, r.n, b.basis, b.dimension;

-- view: outside
-- meaning: tools and targets that were touched although refused, or although they stand on no list
-- kept
SELECT ref, boundary_ref, dimension, v AS what, basis, n FROM judged WHERE denied = 1 OR (listed = 1 AND allowed = 0);

-- view: claim_limits
-- meaning: a claimed limit for which configuration of the same kind exists, but none as strict
SELECT g.ref, c.ref AS claim_ref, c.resource, c.scope, c.per_seconds, c.amount AS expected, g.amount AS found,
  'claimed ' || c.resource || ' limit for each ' || c.scope || ' is not what is configured' AS what
FROM limits AS c
JOIN limits AS g ON g.basis = 'config' AND g.bound AND g.resource = c.resource AND g.scope = c.scope
  AND g.per_seconds IS NOT DISTINCT FROM c.per_seconds AND g.like IS NOT DISTINCT FROM c.like
  AND (c.via IS NULL OR c.via = '*' OR g.via = c.via) AND g.layer IS DISTINCT FROM 'prompt'
WHERE c.basis = 'claim' AND c.layer IS DISTINCT FROM 'prompt' AND NOT EXISTS (
  SELECT 1 FROM limits AS h
  WHERE h.basis = 'config' AND h.bound AND h.resource = c.resource AND h.scope = c.scope AND h.per_seconds IS NOT DISTINCT FROM c.per_seconds
    AND h.like IS NOT DISTINCT FROM c.like AND h.layer IS DISTINCT FROM 'prompt'
    AND (c.via IS NULL OR c.via = '*' OR h.via = c.via) AND h.amount <= c.amount
    AND (c.on_breach IS NULL OR h.on_breach = c.on_breach OR h.on_breach IN ('deny', 'pause')));

-- view: claim_gates
-- meaning: a claimed gate for which configuration of the same trigger exists, but none as strict
SELECT g.ref, c.ref AS claim_ref, c.trigger, c.threshold AS expected, g.threshold AS found, 'claimed ' || c.trigger || ' gate is not what is configured' AS what
FROM gates AS c
JOIN gates AS g ON g.basis = 'config' AND g.bound AND g.trigger = c.trigger AND g.unit IS NOT DISTINCT FROM c.unit AND g.like IS NOT DISTINCT FROM c.like
  AND g.layer IS DISTINCT FROM 'prompt'
WHERE c.basis = 'claim' AND c.layer IS DISTINCT FROM 'prompt' AND NOT EXISTS (
  SELECT 1 FROM gates AS h
  WHERE h.basis = 'config' AND h.bound AND h.trigger = c.trigger AND h.unit IS NOT DISTINCT FROM c.unit AND h.like IS NOT DISTINCT FROM c.like
    AND h.layer IS DISTINCT FROM 'prompt'
    AND COALESCE(h.threshold, 0) <= COALESCE(c.threshold, COALESCE(h.threshold, 0))
    AND (h.effect IN ('interrupt', 'ask', 'deny') OR c.effect = h.effect)
    AND (c.on_timeout IS NULL OR h.on_timeout = c.on_timeout OR h.on_timeout = 'halt'));

-- view: claim_boundaries
-- meaning: something that configuration allows and the claims of the same dimension do not
SELECT g.ref, (SELECT MIN(c.ref) FROM boundaries AS c WHERE c.basis = 'claim' AND c.dimension = g.dimension AND c.effect = 'allow') AS claim_ref,
  g.dimension, g.dimension || ' ' || COALESCE(g.pattern, 'anything') || ' is allowed but not declared' AS what
FROM boundaries AS g
WHERE g.basis = 'config' AND g.bound AND g.effect = 'allow' AND g.layer IS DISTINCT FROM 'prompt'
  AND EXISTS (SELECT 1 FROM boundaries AS c WHERE c.basis = 'claim' AND c.dimension = g.dimension AND c.effect = 'allow')
  AND NOT EXISTS (
    SELECT 1 FROM boundaries AS c
    WHERE c.basis = 'claim' AND c.dimension = g.dimension AND c.effect = 'allow'
      AND (c.is_default OR g.like = c.like OR g.like LIKE c.like ESCAPE '!' OR (g.lo >= c.lo AND g.hi <= c.hi)));

-- view: claim_logs
-- meaning: a claimed log that is configured with less than claimed; what the configuration does not say is only missing
SELECT g.ref, c.ref AS claim_ref, g.sink, c.retention_days AS expected, g.retention_days AS found,
  CASE WHEN (c.append_only AND g.append_only IS FALSE) OR (c.hash_chained AND g.hash_chained IS FALSE) OR (c.off_host AND g.off_host IS FALSE)
    THEN 1 ELSE 0 END AS weaker,
  CASE WHEN g.retention_days < c.retention_days THEN 1 ELSE 0 END AS shorter,
  'claimed log to ' || g.sink || ' is not what is configured' AS what
FROM logs AS g JOIN logs AS c ON c.basis = 'claim' AND c.sink = g.sink
WHERE g.basis = 'config' AND g.bound AND ((c.append_only AND g.append_only IS FALSE) OR (c.hash_chained AND g.hash_chained IS FALSE)
  OR (c.off_host AND g.off_host IS FALSE) OR g.retention_days < c.retention_days);

-- view: claim_capabilities
-- meaning: a capability declared free for which the log shows cost
SELECT u.ref, c.ref AS claim_ref, c.name || ' is declared free and the log shows cost' AS what, u.usd AS found, CAST(0 AS DECIMAL(18, 9)) AS expected
FROM (SELECT name, MIN(ref) AS ref, SUM(usd) AS usd FROM usage WHERE name IS NOT NULL GROUP BY name HAVING SUM(usd) > 0) AS u
JOIN capabilities AS c ON c.name = u.name AND c.basis = 'claim' AND c.cost_usd = 0;

-- view: first_use
-- meaning: the first action or model call of the agent in the log, if there is one
-- kept
SELECT MIN(at_ms) AS at_ms, MIN(ref) AS ref FROM events
WHERE actor_kind = 'agent' AND kind IN ('action', 'model') AND at_ms IS NOT NULL HAVING COUNT(*) > 0;

-- view: repeats
-- meaning: the same call, to the same target with the same arguments, more than once in a run
-- kept
SELECT run, name, target, args_digest, MIN(ref) AS ref, COUNT(*) AS n
FROM events WHERE actor_kind = 'agent' AND kind = 'action' AND args_digest IS NOT NULL AND COALESCE(outcome, 'ok') <> 'denied'
GROUP BY run, name, target, args_digest HAVING COUNT(*) > 1;

-- view: created_again
-- meaning: what the agent created although the log says that it existed
-- kept
SELECT duplicate_of, MIN(ref) AS ref, COUNT(*) + 1 AS n, SUM(cost_usd) AS usd
FROM events WHERE duplicate_of IS NOT NULL AND actor_kind = 'agent' AND COALESCE(outcome, 'ok') = 'ok' GROUP BY duplicate_of;

-- view: paid_paths
-- meaning: every paid capability with each via it is declared or seen through: a way around a gateway is a row of its own
-- kept
SELECT r.name, p.via, MIN(p.ref) AS ref, MAX(r.kind) AS kind, MAX(r.effect) AS effect, MAX(COALESCE(h.by_hour, 0)) AS by_hour
FROM paths AS p
JOIN reach AS r ON r.name = p.name
LEFT JOIN (
  SELECT name, MAX(by_hour) AS by_hour
  FROM (
    SELECT name, CASE WHEN cost_per = 'hour' THEN 1 ELSE 0 END AS by_hour FROM capabilities
    UNION ALL
    SELECT name, 1 FROM events WHERE until_ms > at_ms AND cost_usd > 0 AND actor_kind = 'agent'
  ) AS b
  GROUP BY name
) AS h ON h.name = r.name
WHERE r.paid = 1
GROUP BY r.name, p.via;

-- view: bounded_paths
-- meaning: which enforced limit of this release binds which way to a paid capability
-- kept
SELECT l.ref AS limit_ref, l.resource, l.amount, l.scope, l.layer, l.per_seconds, l.lag_seconds, l.on_breach, p.name, p.via
FROM enforced_limits AS l
JOIN paid_paths AS p ON (l.via = '*' OR l.via = p.via) AND (l.like IS NULL OR p.name LIKE l.like ESCAPE '!')
WHERE l.bound;

-- view: retried
-- meaning: the same call failing again and again with no success in between: how often in a row
SELECT run, args_digest, turn, name, MAX(via) AS via, MIN(ref) AS ref, MIN(at_ms) AS at_ms, COUNT(*) AS failures
FROM (
  SELECT e.run, e.args_digest, e.name, e.ref, e.at_ms, COALESCE(e.via, r.via) AS via, COALESCE(e.outcome, 'ok') AS outcome,
    SUM(CASE WHEN COALESCE(e.outcome, 'ok') = 'ok' THEN 1 ELSE 0 END) OVER (
      PARTITION BY e.run, e.args_digest, e.name ORDER BY e.ord, e.ref ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS turn
  FROM events AS e
  JOIN (
    SELECT run, args_digest, name FROM events
    WHERE outcome IN ('error', 'timeout') AND actor_kind = 'agent' AND kind IN ('action', 'model') AND args_digest IS NOT NULL
    GROUP BY run, args_digest, name HAVING COUNT(*) > 1
  ) AS s ON s.run = e.run AND s.args_digest = e.args_digest AND s.name = e.name
  LEFT JOIN reach AS r ON r.name = e.name
  WHERE e.actor_kind = 'agent' AND e.kind IN ('action', 'model')
) AS f
WHERE outcome IN ('error', 'timeout')
GROUP BY run, args_digest, turn, name HAVING COUNT(*) > 1;

-- view: family
-- meaning: how many tasks a task started, and how deep they stand
SELECT parent, COUNT(*) AS children, MAX(depth) AS depth FROM tasks WHERE parent IS NOT NULL GROUP BY parent;

-- view: neighbours
-- meaning: an entry whose digest does not match its content or the entry before it, or whose clock went back
-- kept
SELECT a.ref, CASE WHEN a.prev_hash <> b.hash OR a.hash <> a.computed_hash THEN 1 ELSE 0 END AS broken,
  CASE WHEN a.at_ms < b.at_ms THEN b.at_ms - a.at_ms ELSE 0 END AS back_ms
FROM events AS a LEFT JOIN events AS b ON b.ref = a.ref - 1 AND b.source = a.source
WHERE a.prev_hash <> b.hash OR a.hash <> a.computed_hash OR a.at_ms < b.at_ms;

-- view: sequences
-- meaning: a numbered run in one log: its lowest and highest number, how many it spans, how many entries it has, whether it ended
-- kept
SELECT source, run, MIN(ref) AS ref, MIN(seq) AS low, MAX(seq) AS high, MAX(seq) - MIN(seq) + 1 AS expected, COUNT(seq) AS found, COUNT(DISTINCT seq) AS numbers,
  MAX(CASE WHEN kind IN ('stop', 'complete') THEN 1 ELSE 0 END) AS ended
FROM events WHERE run IS NOT NULL AND seq IS NOT NULL GROUP BY source, run;

-- view: independent_events
-- meaning: how many entries of the log somebody other than the agent wrote
-- kept
SELECT COUNT(*) AS n, MIN(e.ref) AS ref FROM events AS e
JOIN evidence AS f ON f.id = e.source AND f.produced_by IS NOT NULL AND f.produced_by <> 'agent' HAVING COUNT(*) > 0;

-- view: pingpong
-- meaning: two calls that the agent made in turn, again and again: how many of them followed the other in this way
-- kept
SELECT run, one, other, name, other_name, MIN(ref) AS ref, MIN(at_ms) AS at_ms, COUNT(*) + 2 AS n
FROM (
  SELECT run, ref, at_ms, LEAST(same, before) AS one, GREATEST(same, before) AS other, LEAST(name, before_name) AS name,
    GREATEST(name, before_name) AS other_name
  FROM (
    SELECT run, ref, at_ms, same, name,
      FIRST_VALUE(same) OVER (PARTITION BY run ORDER BY ord, ref ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING) AS before,
      FIRST_VALUE(name) OVER (PARTITION BY run ORDER BY ord, ref ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING) AS before_name,
      FIRST_VALUE(same) OVER (PARTITION BY run ORDER BY ord, ref ROWS BETWEEN 2 PRECEDING AND 2 PRECEDING) AS twice
    FROM (
      SELECT e.run, e.ref, e.at_ms, e.ord, e.name, e.name || ' on ' || COALESCE(e.target, 'nothing named') || COALESCE(' with ' || e.args_digest, '') AS same
      FROM events AS e
      JOIN (
        SELECT run FROM (
          SELECT run FROM events
          WHERE actor_kind = 'agent' AND kind = 'action' AND name IS NOT NULL AND run IS NOT NULL AND ord IS NOT NULL
          GROUP BY run, name, target, args_digest HAVING COUNT(*) > 1
        ) AS c
        GROUP BY run HAVING COUNT(*) > 1
      ) AS s ON s.run = e.run
      WHERE e.actor_kind = 'agent' AND e.kind = 'action' AND e.name IS NOT NULL AND e.ord IS NOT NULL
    ) AS e
  ) AS w
  WHERE same = twice AND same <> before
) AS p
GROUP BY run, one, other, name, other_name HAVING COUNT(*) > 1;

-- view: unheeded
-- meaning: what the agent did after the first warning or request to stop since a person last decided, before the next decision
-- kept
SELECT f.kind, f.run, f.ref, f.at_ms, SUM(s.n) AS n, SUM(s.usd) AS usd
FROM (
  SELECT e.kind, e.run, m.stretch, MIN(e.ord) AS ord, MIN(e.ref) AS ref, MIN(e.at_ms) AS at_ms
  FROM events AS e JOIN marks AS m ON m.run = e.run AND m.ord = e.ord
  WHERE e.kind IN ('warning', 'stop_request') GROUP BY e.kind, e.run, m.stretch
) AS f
JOIN spans AS s ON s.run = f.run AND s.stretch = f.stretch AND s.mark >= f.ord
GROUP BY f.kind, f.run, f.ref, f.at_ms;

-- view: cut_chains
-- meaning: a hash-chained log that begins with an entry that names one before it, which no log holds: its start is not there
-- kept
SELECT e.source, e.ref, e.at_ms
FROM (SELECT source, MIN(ref) AS ref FROM events GROUP BY source) AS f
JOIN events AS e ON e.ref = f.ref
WHERE e.hash IS NOT NULL AND e.prev_hash IS NOT NULL AND REPLACE(e.prev_hash, '0', '') <> ''
  AND NOT EXISTS (SELECT 1 FROM events AS b WHERE b.hash = e.prev_hash);


-- view: bursts
-- meaning: calls, tokens or spend past a limit on less than a minute, twice over where its windows do not start at fixed times; calls in flight allowed
-- kept
SELECT limit_ref, resource, scope, amount, layer, per_seconds, who, MIN(ref) AS ref, MAX(used) AS used, MIN(at_ms) AS at_ms
FROM (
  SELECT m.limit_ref, m.resource, m.scope, m.amount, m.layer, m.per_seconds, m.who, m.factor, MIN(m.ref) AS ref, MIN(m.at_ms) AS at_ms,
    MAX(m.at_ms) AS last_ms, SUM(m.measure) AS used, MAX(m.top) AS top
  FROM (
    SELECT s.limit_ref, s.resource, s.scope, s.amount, s.layer, s.per_seconds, s.who, e.ref, e.at_ms,
      FLOOR(e.at_ms / (1000 * s.per_seconds)) AS cell, CASE WHEN l.aligned THEN 1 ELSE 2 END AS factor,
      CASE WHEN s.resource = 'usd' THEN CAST(e.cost_usd AS DECIMAL(38, 9))
        WHEN s.resource = 'tokens' THEN CAST(COALESCE(e.tokens_in, 0) + COALESCE(e.tokens_out, 0) AS DECIMAL(38, 9))
        WHEN s.resource = 'actions' AND e.kind <> 'action' THEN CAST(0 AS DECIMAL(38, 9)) ELSE CAST(1 AS DECIMAL(38, 9)) END AS measure,
      CASE s.resource WHEN 'usd' THEN e.cost_usd
        WHEN 'tokens' THEN CAST(LEAST(COALESCE(e.tokens_in, 0) + COALESCE(e.tokens_out, 0), 900000000) AS DECIMAL(18, 9))
        ELSE CAST(1 AS DECIMAL(18, 9)) END AS top
    FROM (
      SELECT DISTINCT limit_ref, resource, scope, amount, layer, per_seconds, who, minute FROM metered
      WHERE per_seconds < 60 AND lag_seconds = 0 AND measure > amount
    ) AS s
    JOIN limits AS l ON l.ref = s.limit_ref
    JOIN events AS e ON FLOOR(e.at_ms / 60000) = s.minute
    LEFT JOIN tasks AS t ON t.task = e.task
    LEFT JOIN (SELECT name, MAX(via) AS via FROM capabilities WHERE via IS NOT NULL GROUP BY name) AS c ON c.name = e.name
    WHERE e.actor_kind = 'agent' AND e.kind IN ('action', 'model') AND (COALESCE(e.outcome, 'ok') = 'ok' OR e.cost_usd > 0)
      AND (l.via IS NULL OR l.via = '*' OR l.via = COALESCE(e.via, c.via)) AND (l.like IS NULL OR e.name LIKE l.like ESCAPE '!')
      AND s.who = CASE s.scope WHEN 'session' THEN e.session WHEN 'run' THEN e.run WHEN 'task' THEN COALESCE(t.root, e.task)
        WHEN 'agent' THEN e.actor WHEN 'key' THEN e.credential WHEN 'tool' THEN e.name ELSE '*' END
  ) AS m
  GROUP BY m.limit_ref, m.resource, m.scope, m.amount, m.layer, m.per_seconds, m.who, m.factor, m.cell
) AS b
-- Where a log tells the minute alone, all that was done in one looks like a burst.
WHERE used > (amount + 10 * top) * factor AND (at_ms <> last_ms OR MOD(at_ms, 60000) <> 0)
GROUP BY limit_ref, resource, scope, amount, layer, per_seconds, who;

-- view: past_target
-- meaning: what went on with one target past a limit for each target: later than the minute that reached it, or more at once than calls in flight explain
-- kept
SELECT limit_ref, resource, amount, target, MIN(ref) AS ref, MAX(used) AS used, MIN(at_ms) AS at_ms
FROM (
  SELECT p.limit_ref, p.resource, p.amount, p.factor, p.target, p.n, p.ref, p.at_ms,
    SUM(p.n) OVER (PARTITION BY p.limit_ref, p.target, p.bucket) AS used,
    SUM(p.n) OVER (PARTITION BY p.limit_ref, p.target, p.bucket ORDER BY p.minute ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS upto
  FROM (
    SELECT l.ref AS limit_ref, l.resource, l.amount, e.target, FLOOR(e.at_ms / 60000) AS minute,
      CASE WHEN l.per_seconds IS NULL OR l.aligned THEN 1 ELSE 2 END AS factor,
      CASE WHEN l.per_seconds IS NULL THEN 0 ELSE FLOOR(e.at_ms / (1000 * l.per_seconds)) END AS bucket,
      COUNT(*) AS n, MIN(e.ref) AS ref, MIN(e.at_ms) AS at_ms
    FROM events AS e
    LEFT JOIN (SELECT name, MAX(via) AS via FROM capabilities WHERE via IS NOT NULL GROUP BY name) AS c ON c.name = e.name
    JOIN limits AS l ON l.scope = 'target' AND l.basis IN ('config', 'claim') AND l.bound AND l.layer IS DISTINCT FROM 'prompt'
      AND l.amount IS NOT NULL AND COALESCE(l.on_breach, 'deny') IN ('deny', 'pause') AND COALESCE(l.per_seconds, 60) >= 60
      AND l.resource IN ('actions', 'requests') AND (l.resource = 'requests' OR e.kind = 'action')
      AND (l.via IS NULL OR l.via = '*' OR l.via = COALESCE(e.via, c.via)) AND (l.like IS NULL OR e.name LIKE l.like ESCAPE '!')
    WHERE e.actor_kind = 'agent' AND e.kind IN ('action', 'model') AND COALESCE(e.outcome, 'ok') = 'ok' AND e.target IS NOT NULL
    GROUP BY l.ref, l.resource, l.amount, l.per_seconds, l.aligned, e.target, FLOOR(e.at_ms / 60000),
      CASE WHEN l.per_seconds IS NULL THEN 0 ELSE FLOOR(e.at_ms / (1000 * l.per_seconds)) END
  ) AS p
) AS x
WHERE used > amount * factor AND (upto - n >= amount * factor OR used > (amount + 10) * factor)
GROUP BY limit_ref, resource, amount, target;

-- view: standing
-- meaning: an approval by a person that acts behind a gate rest on which are not the same: other targets or other arguments
-- kept
SELECT approval_ref, name, MIN(ref) AS ref, MIN(at_ms) AS at_ms, COUNT(*) AS n
FROM gated_acts
WHERE approval_ref IS NOT NULL AND approver_kind = 'operator' AND approved_name = name
GROUP BY approval_ref, name HAVING COUNT(DISTINCT target) > 1 OR COUNT(DISTINCT args_digest) > 1;

-- view: decisions
-- meaning: what people let go on: approvals and resumptions in the log and in records
SELECT ref, run, at_ms, person, answers, shown, origin FROM approvals WHERE actor_kind = 'operator'
UNION ALL
SELECT ref, run, at_ms, actor, answers, shown, 'event' FROM events WHERE kind = 'resume' AND actor_kind = 'operator';

-- view: rushed
-- meaning: how many decisions, at different seconds, one person made within a minute; those of one second may have been one look
SELECT person, minute, MIN(ref) AS ref, MIN(at_ms) AS at_ms, COUNT(DISTINCT second) AS n
FROM (
  SELECT person, ref, at_ms, FLOOR(at_ms / 60000) AS minute, FLOOR(at_ms / 1000) AS second FROM decisions
  WHERE origin = 'event' AND person IS NOT NULL AND at_ms IS NOT NULL
) AS d
GROUP BY person, minute HAVING COUNT(DISTINCT second) > 1;

-- view: misanswered
-- meaning: what the agent did on the answer to a checkpoint that had one already, while the newest checkpoint of its run had none
-- kept
SELECT d.run, MIN(s.ref) AS ref, MIN(d.ref) AS answer_ref, SUM(s.n) AS n, MIN(s.first_ms) AS at_ms
FROM (
  SELECT e.run, e.ref, e.ord, e.answers, m.stretch, m.asked
  FROM events AS e
  JOIN marks AS m ON m.run = e.run AND m.ord = e.ord
  JOIN events AS q ON q.run = e.run AND q.id = e.answers AND q.kind = 'checkpoint' AND q.ord < m.asked
  WHERE e.kind IN ('approval', 'resume') AND e.actor_kind = 'operator'
) AS d
JOIN events AS c ON c.run = d.run AND c.ord = d.asked AND c.kind = 'checkpoint' AND c.id IS NOT NULL
JOIN spans AS s ON s.run = d.run AND s.stretch = d.stretch AND s.mark >= d.ord
WHERE EXISTS (
  SELECT 1 FROM events AS b
  WHERE b.run = d.run AND b.answers = d.answers AND b.actor_kind = 'operator' AND b.kind IN ('approval', 'refusal', 'resume') AND b.ord < d.asked)
  AND NOT EXISTS (
  SELECT 1 FROM events AS p
  WHERE p.run = c.run AND p.answers = c.id AND p.actor_kind = 'operator' AND p.kind IN ('approval', 'refusal', 'resume') AND p.ord <= d.ord)
GROUP BY d.run;

-- view: warned
-- meaning: what the agent did after somebody outside, or a person of the deployment, warned, where no person took note before it was done
-- kept
SELECT f.run, f.ref, f.actor, f.at_ms, SUM(s.n) AS n
FROM (
  SELECT e.run, m.stretch, MIN(e.ord) AS ord, MIN(e.ref) AS ref, MIN(e.at_ms) AS at_ms, MIN(e.actor) AS actor
  FROM events AS e JOIN marks AS m ON m.run = e.run AND m.ord = e.ord
  WHERE e.kind = 'warning' AND e.actor_kind IN ('third_party', 'operator') GROUP BY e.run, m.stretch
) AS f
JOIN spans AS s ON s.run = f.run AND s.stretch = f.stretch AND s.mark >= f.ord
WHERE NOT EXISTS (
  SELECT 1 FROM events AS o
  WHERE o.run = f.run AND o.actor_kind = 'operator' AND o.kind IN ('ack', 'pause', 'start', 'change') AND o.ord > f.ord)
GROUP BY f.run, f.ref, f.actor, f.at_ms;

-- view: paid_twice
-- meaning: the same creation, paid for more than once in a run while what it made before was there, as far as the log goes
-- kept
SELECT x.run, x.name, x.target, COALESCE(MAX(e.via), MAX(r.via)) AS via, MIN(e.ref) AS ref, COUNT(*) AS n, SUM(e.cost_usd) AS usd, MAX(e.at_ms) AS at_ms
FROM repeats AS x
JOIN reach AS r ON r.name = x.name AND r.effect = 'create'
JOIN events AS e ON e.run = x.run AND e.name = x.name AND e.args_digest = x.args_digest AND e.target IS NOT DISTINCT FROM x.target
WHERE e.actor_kind = 'agent' AND e.kind = 'action' AND COALESCE(e.outcome, 'ok') = 'ok' AND e.cost_usd > 0
  AND NOT EXISTS (
    SELECT 1 FROM events AS d
    WHERE d.run = x.run AND d.actor_kind = 'agent' AND d.kind = 'action' AND COALESCE(d.outcome, 'ok') = 'ok'
      AND d.name IN (SELECT k.name FROM reach AS k WHERE k.effect = 'delete'))
GROUP BY x.run, x.name, x.target, x.args_digest
HAVING COUNT(*) > 1 AND COALESCE(MIN(e.until_ms), MAX(e.at_ms) + 1) > MAX(e.at_ms);

-- view: holes
-- meaning: a numbered run of which the log lacks the start, or what stood between two of its parts
-- kept
SELECT run, ref, low, COALESCE(above, 0) AS above
FROM (
  SELECT run, ref, low, MAX(high) OVER (PARTITION BY run ORDER BY low, source ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS above
  FROM sequences
) AS p
WHERE low > COALESCE(above, 0) + 1;

-- view: spending
-- meaning: calls of the agent, refused ones left out, and whatever cost money but what people spent themselves: usd is due at ends_ms, or accrues from at_ms until then
SELECT name, at_ms, CASE WHEN charged = 1 AND until_ms > at_ms THEN until_ms ELSE at_ms END AS ends_ms,
  CASE WHEN charged = 1 THEN cost_usd END AS usd, called, CASE WHEN called = 1 AND cost_usd IS NULL THEN 1 ELSE 0 END AS unpriced
FROM (
  SELECT name, at_ms, until_ms, cost_usd,
    CASE WHEN kind IN ('action', 'model') AND COALESCE(actor_kind, 'agent') = 'agent' AND COALESCE(outcome, 'ok') <> 'denied' THEN 1 ELSE 0 END AS called,
    CASE WHEN cost_usd > 0 AND COALESCE(actor_kind, 'agent') NOT IN ('operator', 'third_party') THEN 1 ELSE 0 END AS charged
  FROM events WHERE at_ms IS NOT NULL
) AS e
WHERE called = 1 OR charged = 1;

-- view: milestones
-- meaning: what a reader looks for along the way: checkpoints, what people decided, warnings, requests to stop, stops and ends
-- kept
SELECT ref, at_ms, CASE kind WHEN 'pause' THEN 'checkpoint' WHEN 'resume' THEN 'approval' WHEN 'alert' THEN 'warning' ELSE kind END AS what
FROM events
WHERE at_ms IS NOT NULL AND (kind IN ('checkpoint', 'pause', 'warning', 'alert', 'stop_request', 'stop', 'complete')
  OR (kind IN ('approval', 'resume', 'refusal') AND actor_kind = 'operator'));
