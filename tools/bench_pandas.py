"""The checks on events with pandas, a table at a time: what psf-audit is measured against.

The log is read whole, by the reader of pandas or, with `--pyarrow`, by the quicker one of Arrow. Groups, sums and
forward fills do the rest; only what is few is looped over. It knows the terms of the generated log and nothing else,
and trusts the log to stand in the order of its times. Money is counted in whole nano-dollars. Run as a program, it
prints its findings as JSON.
"""

import hashlib
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.planted.terms import (
    ALERT_SECONDS,
    CHANGING,
    EDGE_CASE_USD,
    GATED,
    INTERVALS,
    REPEATS,
    RETRIES,
    RUN_SECONDS,
    SPEND_GATE,
    STOP_LOSS,
    Terms,
)
from tools import bench_terms as rules
from tools.bench_process import stay_within_free_memory
from tools.bench_terms import NANO, Ceiling, Verdicts

Frame = Any  # of pandas, which has no types
_COLUMNS = (
    "at", "kind", "actor", "actor_kind", "run", "session", "task", "parent", "seq", "id", "name", "target", "via",
    "credential", "cost_usd", "tokens_in", "tokens_out", "outcome", "reason", "approval", "answers", "shown",
    "duplicate_of", "args_digest", "hash", "prev_hash",
)  # fmt: skip
_DECIDES = ["approval", "refusal", "resume", "stop"]
_ANSWERS = ["approval", "refusal", "resume"]
_HEARS = ["ack", "approval", "refusal", "pause", "resume", "stop"]
_OF_APPROVALS = [
    "id", "run", "at_ms", "actor", "actor_kind", "name", "target", "args_digest", "answers", "shown", "reason",
]  # fmt: skip
_WINDOW = ["whose", "bucket"]


def read(log: Path, *, with_arrow: bool) -> Frame:
    """The events of a log with all columns; costs in nano-dollars, times in milliseconds."""
    if with_arrow:
        frame = pd.read_json(log, lines=True, engine="pyarrow")
    else:
        frame = pd.read_json(log, lines=True, dtype=False)
    frame = frame[frame["kind"].notna()].reindex(columns=_COLUMNS).reset_index(drop=True)
    at = pd.to_datetime(frame["at"], utc=True, format="ISO8601")
    frame["at_ms"] = at.dt.as_unit("ms").astype("int64")
    frame["cost"] = (frame["cost_usd"].astype("float64") * NANO).round().fillna(0).astype("int64")
    frame["ok"] = frame["outcome"].fillna("ok").eq("ok")
    frame["is_call"] = frame["kind"].isin(["action", "model"]) & frame["actor_kind"].eq("agent")
    frame["is_human"] = frame["actor_kind"].eq("operator")
    frame["minute"] = frame["at_ms"] // 60_000
    return frame


class Table:
    """All checks over the events of one log, each over the whole table."""

    def __init__(self, frame: Frame, made_under: Terms) -> None:
        self.verdicts = Verdicts(made_under)
        self.found = self.verdicts.found
        self.all = frame
        self._tasks()
        self.calls = frame[frame["is_call"]]
        self.usage = self.calls[self.calls["ok"] | self.calls["cost"].gt(0)]
        self.acts = self.calls[self.calls["ok"]]
        self.alerts = frame[frame["kind"].eq("alert")]
        self.alerted = set(self.alerts["run"])

    def findings(self) -> Counter[str]:
        """The findings by control."""
        self._ceilings()
        self._states()
        self._stop_loss()
        self._touched()
        self._approvals()
        self._alerts()
        self._loops()
        self._entries()
        self._done_tasks()
        spent = self.usage[self.usage["cost"].gt(0)]
        no_run = spent["session"].isna() & spent["run"].isna()
        self.found["SPEND-03"] += no_run.any()
        self.found["SPEND-04"] += spent["task"].isna().any()
        self.verdicts.credentials(self.usage.groupby("credential")["at_ms"].max().to_dict())
        self.verdicts.bills(spent.groupby("via")["cost"].sum().to_dict())
        self.verdicts.free(spent.groupby("name")["cost"].sum().to_dict())
        self.verdicts.estimates(spent.groupby("root")["cost"].sum().to_dict())
        self.verdicts.uses(_first(self.calls["at_ms"]), _first(-self.usage["at_ms"]))
        return +Counter({control: int(count) for control, count in self.found.items()})

    def _tasks(self) -> None:
        """The tree of tasks, and the first task above each event's."""
        pairs = self.all[["task", "parent"]].dropna(subset="task").drop_duplicates("task")
        parents: dict[str, str | None] = {}
        roots: dict[str, str] = {}
        depths: dict[str, int] = {}
        for task, parent in zip(pairs["task"], pairs["parent"], strict=True):
            above = parent if isinstance(parent, str) else None
            parents[task] = above
            roots[task] = task if above is None else roots.get(above, above)
            depths[task] = 0 if above is None else depths.get(above, 0) + 1
        self.all["root"] = self.all["task"].map(roots)
        self.verdicts.families(parents, depths)

    def _ceilings(self) -> None:
        alerts = self.alerts["at_ms"].tolist()
        kinds = self.usage[["kind", "name", "via"]].drop_duplicates().astype("object")
        calls = kinds.where(kinds.notna(), None).itertuples(index=False, name=None)
        calls = list(calls)
        for ceiling in rules.CEILINGS:
            names = {call[1] for call in calls if ceiling in rules.binding(*call)}
            for used, at_ms in self._past(ceiling, names):
                self.found.update(rules.passed(ceiling, used))
                self.found["AUDIT-05"] += rules.is_unheard(at_ms, alerts)

    def _past(self, ceiling: Ceiling, names: set[str | None]) -> list[tuple[int, int]]:
        """Of each window that was passed: what was used in it, and when it was gone past."""
        limit, usage = ceiling.limit, self.usage
        chosen = usage["via"].eq(limit.via)
        if limit.pattern != "*":
            chosen &= usage["name"].isin(names)
        if limit.resource == "actions":
            chosen &= usage["kind"].eq("action")
        rows = usage[chosen]
        seconds = limit.per_seconds
        cells = pd.DataFrame(
            {
                "whose": "*" if ceiling.key is None else rows[ceiling.key],
                "bucket": 0 if seconds is None else rows["minute"] * 60 // seconds,
                "minute": rows["minute"],
                "at_ms": rows["at_ms"],
                "measure": _measures(ceiling, rows),
            }
        )
        sums = cells.groupby([*_WINDOW, "minute"]).agg(
            measure=("measure", "sum"), top=("measure", "max"), at_ms=("at_ms", "min")
        )
        windows = sums.groupby(_WINDOW)
        sums["upto"] = windows["measure"].cumsum()
        sums["used"] = windows["measure"].transform("sum")
        sums = sums[sums["used"] > ceiling.reach].reset_index()
        if sums.empty:
            return []
        reached = sums[sums["upto"] >= ceiling.reach].groupby(_WINDOW)["minute"].min().rename("reached")
        sums = sums.join(reached, on=_WINDOW)
        sums["dearest"] = 0 if limit.resource == "tokens" else sums.groupby(_WINDOW)["top"].transform("max")
        at_once = (sums["used"] > (ceiling.amount + 10 * sums["dearest"]) * ceiling.factor) & (limit.lag_seconds == 0)
        later = sums["minute"] > sums["reached"] + ceiling.lag_minutes
        past = sums[sums["measure"].gt(0) & (later | (sums["minute"].eq(sums["reached"]) & at_once))]
        found = past.groupby(_WINDOW).agg(used=("used", "max"), at_ms=("at_ms", "min"))
        return [(int(used), int(at_ms)) for used, at_ms in zip(found["used"], found["at_ms"], strict=True)]

    def _states(self) -> None:
        """What was done, in the state that its run is in: the last mark of each kind before it."""
        rows = self.all[self.all["run"].notna()]
        kind, human, run = rows["kind"], rows["is_human"], rows["run"]
        place = pd.Series(range(len(rows)), index=rows.index, dtype="int64")

        def last(chosen: Any) -> Any:
            return place.where(chosen).groupby(run).ffill().fillna(-1)

        answered = last(kind.isin(_ANSWERS) & human)
        began, stopped = last(kind.isin(["start", "resume"])), last(kind.eq("stop"))
        begged = last(kind.eq("stop_request"))
        stopped_ms = rows["at_ms"].where(kind.eq("stop")).groupby(run).ffill()
        state = pd.DataFrame(
            {
                "run": run,
                "via": rows["via"],
                "at_ms": rows["at_ms"],
                "cost": rows["cost"],
                "action": kind.eq("action"),
                "stretch": (kind.isin(_DECIDES) & human).groupby(run).cumsum(),
                "leg": kind.isin(["checkpoint", "pause"]).groupby(run).cumsum(),
                "pending": last(kind.eq("checkpoint")) > answered,
                "stopped": (stopped > began) & (rows["at_ms"] > stopped_ms + rules.STOP_MS),
                "done": last(kind.eq("complete")) > began,
                "begged": (begged > answered) & (begged > stopped),
            }
        )
        work = state[rows["is_call"] & rows["ok"]]
        for control, flag in (("CHECK-05", "pending"), ("CHECK-08", "stopped"), ("BOUND-09", "begged")):
            self.found[control] += work.loc[work[flag], "run"].nunique()
        by_task = self.all.loc[self.all["kind"].eq("complete") & self.all["task"].notna(), "run"]
        self.found["BOUND-06"] += len(set(work.loc[work["done"], "run"]) - set(by_task))
        self.found["CHECK-08"] += (kind.eq("stop") & human & ~rows["ok"]).sum()
        self._stretches(work)

    def _stretches(self, work: Frame) -> None:
        spans = {"first": ("at_ms", "min"), "last": ("at_ms", "max")}
        stretches = work.groupby(["run", "stretch"]).agg(**spans, cost=("cost", "sum"))
        seconds = (stretches["last"] - stretches["first"]) // 1_000
        self.found["CHECK-04"] += (seconds > rules.UNATTENDED_SECONDS + rules.GRACE_SECONDS).sum()
        timed = stretches.index.get_level_values("run").isin(self._runs_via(RUN_SECONDS.via))
        self.found["CHECK-04"] += ((seconds > RUN_SECONDS.amount + rules.GRACE_SECONDS) & timed).sum()
        self.found["READY-03"] += (stretches["cost"] > EDGE_CASE_USD * NANO).sum()
        legs = work.groupby(["run", "leg", "stretch"]).agg(**spans, actions=("action", "sum"))
        seconds = (legs["last"] - legs["first"]) // 1_000
        for gate in INTERVALS:
            most = gate.threshold or 0
            long = seconds > most + rules.GRACE_SECONDS if gate.unit == "seconds" else legs["actions"] > most
            self.found["CHECK-01"] += (long & legs.index.get_level_values("run").isin(self._runs_via(gate.via))).sum()
        paid = work[work["via"].eq(SPEND_GATE.via) & work["cost"].gt(0)]
        before = paid.groupby(["run", "stretch"])["cost"].cumsum() - paid["cost"]
        past = paid.loc[before >= (SPEND_GATE.threshold or 0) * NANO, "run"].nunique()
        self.found.update({"SPEND-05": past, "CHECK-02": past})

    def _runs_via(self, via: str) -> set[str]:
        return set(self.usage.loc[self.usage["via"].eq(via), "run"])

    def _stop_loss(self) -> None:
        most = (STOP_LOSS.threshold or 0) * NANO
        paid = self.usage[self.usage["via"].eq(STOP_LOSS.via) & self.usage["cost"].gt(0)]
        paid = paid.assign(task=paid["root"].fillna(paid["run"]))
        minutes = (
            paid.groupby(["task", "run", "minute"]).agg(cost=("cost", "sum"), at_ms=("at_ms", "min")).reset_index()
        )
        minutes["upto"] = minutes.groupby(["task", "run"])["cost"].cumsum()
        past = minutes[minutes["upto"] - minutes["cost"] >= most]
        reached = minutes[minutes["upto"] >= most].groupby(["task", "run"])["at_ms"].min()
        decided = self.all[self.all["is_human"] & self.all["kind"].isin(["approval", "resume"])]
        lost = set()
        for task, run, at_ms in zip(past["task"], past["run"], past["at_ms"], strict=True):
            times = decided.loc[decided["run"].eq(run), "at_ms"]
            if not times.between(reached[task, run], at_ms).any():
                lost.add(task)
        self.found["SPEND-10"] += len(lost)

    def _touched(self) -> None:
        deeds = self.acts[self.acts["kind"].eq("action")]
        gateway = deeds[deeds["via"].eq("gateway")]
        self.verdicts.touched(set(gateway["name"].dropna()), set(gateway["target"].dropna()))
        self.verdicts.reach(set(deeds["target"].dropna()))
        policy = self.acts["target"].str.startswith("config/").fillna(value=False).astype(bool)
        self.found["BOUND-08"] += (self.acts["name"].isin(CHANGING) & policy).sum()
        change = self.all["kind"].eq("change") & self.all["actor_kind"].isin(["agent", "third_party"])
        self.found["BOUND-08"] += (change & self.all["ok"]).sum()
        requests = set(self.all.loc[self.all["kind"].eq("stop_request"), "id"])
        refusals = self.all[self.all["kind"].eq("refusal") & self.all["actor_kind"].eq("agent")]
        self.found["BOUND-09"] += refusals["answers"].isin(requests).sum()

    def _approvals(self) -> None:
        given = self.all.loc[self.all["kind"].eq("approval"), _OF_APPROVALS]
        asked = self.all.loc[self.all["kind"].eq("checkpoint"), ["id", "run", "at_ms"]]
        human = given[given["actor_kind"].eq("operator")]
        self.found["CHECK-06"] += human["shown"].isna().sum()
        both = human.merge(asked, left_on=["answers", "run"], right_on=["id", "run"], suffixes=("", "_asked"))
        self.found["CHECK-06"] += (both["at_ms"] - both["at_ms_asked"] < rules.HASTY_MS).sum()
        loose = human["answers"].isna() & (human["id"].isna() | human["name"].isna())
        self.found["AUDIT-04 lacks"] += (loose | human[["actor", "shown", "reason"]].isna().any(axis=1)).sum()
        acts = self.acts[self.acts["kind"].eq("action") & self.acts["name"].isin(GATED)]
        both = acts.merge(given, how="left", left_on="approval", right_on="id", suffixes=("", "_given"))
        faulty = both["id_given"].isna() | both["actor_kind_given"].ne("operator")
        faulty |= both["at_ms_given"] > both["at_ms"]
        faulty |= both["name_given"].isna() | both["name_given"].ne(both["name"]) | both["actor_given"].isna()
        for key in ("args_digest", "target"):
            faulty |= both[f"{key}_given"].notna() & both[key].notna() & both[f"{key}_given"].ne(both[key])
        self.found.update({"CHECK-03": faulty.sum(), "AUDIT-04": faulty.sum()})
        self.found["BOUND-10"] += both.loc[both["actor_kind_given"].eq("third_party"), "actor_given"].nunique()

    def _alerts(self) -> None:
        """Alerts of spend that no person answered in time: by their id, or in their run."""
        heard = self.all[self.all["is_human"] & self.all["kind"].isin(_HEARS)]
        for alert in self.alerts.itertuples():
            by_id = heard["answers"].eq(alert.id)
            answers = heard.loc[by_id | (heard["answers"].isna() & heard["run"].eq(alert.run)), "at_ms"]
            self.found["SPEND-06"] += not answers.between(alert.at_ms, alert.at_ms + ALERT_SECONDS * 1_000).any()

    def _loops(self) -> None:
        actions = self.calls[self.calls["kind"].eq("action") & self.calls["args_digest"].notna()]
        actions = actions[actions["outcome"].ne("denied")]
        counts = actions.groupby(["run", "name", "target", "args_digest"], dropna=False, sort=False).size()
        for (run, name, _, _), count in counts[counts > REPEATS.amount].items():
            is_limited = isinstance(name, str) and name.startswith(REPEATS.pattern.removesuffix("*"))
            self.found["BOUND-07"] += is_limited or count > rules.MOST_REPEATS
            self.found["AUDIT-05"] += rules.matters(name) and run not in self.alerted
        made = self.acts[self.acts["duplicate_of"].notna()].groupby("duplicate_of")
        made = made.agg(n=("cost", "size"), run=("run", "first"), cost=("cost", "sum"))
        for count, run, cost in made.itertuples(index=False):
            self.found["BOUND-07"] += 1
            self.found["SPEND-09"] += cost > 0
            self.found["AUDIT-05"] += count >= rules.MOST_CREATED_UNHEARD and run not in self.alerted
        call = ["run", "name", "args_digest"]
        failed = self.calls["outcome"].isin(["error", "timeout"]) & self.calls["via"].eq(RETRIES.via)
        often = self.calls[failed].groupby(call).size()
        suspects = often[often > RETRIES.amount + 1].reset_index()[call]
        tries = self.calls.reset_index().merge(suspects, on=call).sort_values("index")
        tries["turn"] = tries["ok"].groupby([tries[key] for key in call]).cumsum()
        runs = tries[tries["outcome"].isin(["error", "timeout"])].groupby([*call, "turn"]).size()
        self.found["SPEND-09"] += (runs > RETRIES.amount + 1).sum()

    def _entries(self) -> None:
        """The log itself: its numbers, its clock, its chain, and what its entries lack."""
        numbers = self.all.loc[self.all["seq"].notna(), ["run", "seq"]].dropna().groupby("run")["seq"]
        runs = numbers.agg(["min", "max", "count", "nunique"])
        self.found["AUDIT-01"] += (runs["nunique"] < runs["max"] - runs["min"] + 1).sum()
        self.found["AUDIT-01"] += (runs["count"] > runs["nunique"]).sum()
        at_ms, run, seq = self.all["at_ms"], self.all["run"], self.all["seq"]
        back = (at_ms.shift() - at_ms > rules.CLOCK_MS) & run.eq(run.shift()) & (seq.shift() < seq)
        self.found["AUDIT-02"] += back.sum()
        chained = self.all[self.all["hash"].notna()]
        before = self.all["hash"].shift()[chained.index]
        follows = chained["prev_hash"].isna() | before.isna() | chained["prev_hash"].eq(before)
        holds = chained[list(_COLUMNS)].apply(_digest, axis=1).eq(chained["hash"]) if len(chained) else follows
        self.found["AUDIT-03"] += (~(follows & holds)).sum()
        needed = ["actor", "name", "outcome", "run"]
        for kind, more in (("action", ["target", "args_digest", "reason"]), ("model", [])):
            rows = self.calls[self.calls["kind"].eq(kind)]
            missing = rows[[*needed, *more]].isna()
            missing["cost_usd"] = rows["cost_usd"].isna() & rows["ok"] & ~rows["name"].isin(rules.FREE_NAMES)
            self.found["AUDIT-02 lacks"] += len(missing[missing.any(axis=1)].drop_duplicates())

    def _done_tasks(self) -> None:
        complete = self.all[self.all["kind"].eq("complete")].dropna(subset=["run", "task"])
        if complete.empty:
            return
        done = complete.groupby(["run", "task"])["at_ms"].min().rename("done_ms").reset_index()
        later = self.usage.merge(done, on=["run", "task"])
        later = later[later["at_ms"] > later["done_ms"]]
        starts = self.all[self.all["kind"].isin(["start", "resume"])]
        for (run, _), rows in later.groupby(["run", "task"]):
            times = starts.loc[starts["run"].eq(run), "at_ms"]
            self.found["BOUND-06"] += not times.between(rows["done_ms"].min(), rows["at_ms"].min()).any()


def _measures(ceiling: Ceiling, rows: Frame) -> Any:
    match ceiling.limit.resource:
        case "usd":
            return rows["cost"]
        case "tokens":
            return (rows["tokens_in"].fillna(0) + rows["tokens_out"].fillna(0)).astype("int64")
        case _:
            return 1


def _first(times: Any) -> int | None:
    return None if times.empty else abs(int(times.min()))


def _digest(row: Any) -> str:
    """The digest of an entry as it was written: the keys that it has, without its own digest."""
    event = {key: value for key, value in row.items() if key != "hash" and not pd.isna(value)}
    for key in ("seq", "cost_usd"):
        event[key] = int(event[key])
    if not isinstance(event["at"], str):
        event["at"] = event["at"].isoformat(timespec="milliseconds")[:23] + "Z"
    return hashlib.sha256(json.dumps(event, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def findings(log: Path, made_under: Terms, *, with_arrow: bool = False) -> Counter[str]:
    """The findings of a log, by control."""
    return Table(read(log, with_arrow=with_arrow), made_under).findings()


if __name__ == "__main__":
    stay_within_free_memory()
    folder = Path(sys.argv[1])
    print(json.dumps(findings(folder / "events.jsonl", Terms.read(folder), with_arrow="--pyarrow" in sys.argv)))
