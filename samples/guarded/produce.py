"""Runs the agent and its drills, and writes what they leave behind as evidence.

    python produce.py [--as-of DATE] [--out DIR]

Without --out the evidence of this sample is written anew; with it, a whole copy of the sample goes to DIR.
"""

import argparse
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, time
from pathlib import Path
from xml.etree import ElementTree as ET

import yaml
from agent.audit import AuditLog, read
from agent.calls import Clearance, Task
from agent.clock import Clock
from agent.deployment import Deployment, load_rules, ticket_for
from agent.desk import attentive, on_call
from agent.estimate import worst_case
from agent.gateway import DOMAINS
from agent.model import obedient
from agent.telemetry import Trace
from agent.world import World
from records import APPROVER, DEPUTY, OWNER, Calendar, Period, records

HERE = Path(__file__).resolve().parent
PARTS = ("config", "docs", "prompts")
FILES = ("README.md", "manifest.yaml")
NETWORKS = ("172.20.0.0/16", "172.21.0.0/16", "172.22.0.0/16", "172.23.0.0/16")
HOSTS_IN_EACH = 6
SECONDS_TO_ACKNOWLEDGE = 140


def main() -> int:
    """Produce everything; 1 if a run or a drill did not end as it should."""
    options = argparse.ArgumentParser(description="Run the sample agent and its drills, and write the evidence.")
    options.add_argument("--as-of", type=date.fromisoformat, default=datetime.now(UTC).date(), metavar="DATE")
    options.add_argument("--out", type=Path, metavar="DIR", help="write a whole copy of the sample there")
    given = options.parse_args()
    root = copy_to(given.out.resolve()) if given.out else HERE
    calendar = Calendar(given.as_of)
    shutil.rmtree(root / "evidence", ignore_errors=True)
    (root / "evidence").mkdir()
    date_files(root, calendar)
    period = work(root, calendar)
    drilled = drill(root)
    write_records(root, calendar, period, None)
    fingerprint = assessed_fingerprint(root, given.as_of)
    write_records(root, calendar, period, fingerprint)
    print(f"{root / 'evidence'}: {len(period.tasks)} sessions, {period.logged} usd logged, {period.billed} usd billed")
    if fingerprint is None:
        print("psf-audit gave no fingerprint: the assessment records have none", file=sys.stderr)
    return 0 if drilled else 1


def copy_to(root: Path) -> Path:
    """Copy everything but the code to another folder."""
    for part in PARTS:
        shutil.copytree(HERE / part, root / part, dirs_exist_ok=True)
    for name in FILES:
        shutil.copy(HERE / name, root / name)
    return root


def date_files(root: Path, calendar: Calendar) -> None:
    """Rotate the agent's keys for this period, and say when the evidence was collected."""
    days = {"issued": calendar.issued, "expires": calendar.expires, "collected": calendar.as_of}
    for path in (root / "config" / "gateway.yaml", root / "manifest.yaml"):
        text = path.read_text(encoding="utf-8")
        for key, day in days.items():
            text = re.sub(rf"\b{key}: \d{{4}}-\d\d-\d\d", f"{key}: {day}", text)
        path.write_text(text, encoding="utf-8")


def work(root: Path, calendar: Calendar) -> Period:
    """Run the normal task: one session a day, one network each, with a human at the desk."""
    rules, evidence = load_rules(root), root / "evidence"
    clock = Clock(datetime.combine(calendar.run_days[0], time(8), UTC))
    log = AuditLog(evidence / "gateway.jsonl", clock, rules.gateway.logs[0])
    clearance = Clearance(
        release=rules.gateway.release,
        deployment=rules.deployment,
        owner=OWNER,
        deputy=DEPUTY,
        signed_by=OWNER,
        signed_at=calendar.signed,
        assessed_at=calendar.assessed,
        domains=DOMAINS,
    )
    world, tasks = World(clock, obedient), []
    with (evidence / "traces.jsonl").open("w", encoding="utf-8") as stream:
        for number, (day, network) in enumerate(zip(calendar.run_days, NETWORKS, strict=True)):
            clock.advance_to(datetime.combine(day, time(9, 7 * number), UTC))
            task = planned(day, network, register=number == 0)
            trace = Trace(stream, f"run-{day}", rules.gateway.release, "production")
            live = Deployment(rules, log, world, desk=attentive(APPROVER), trace=trace, history=log.events)
            on_call(live.gateway, clock, SECONDS_TO_ACKNOWLEDGE)
            outcome = live.run(ticket_for(f"run-{day}", f"session-{day}", task.id), task, clearance)
            trace.close()
            if outcome.status != "done":
                raise SystemExit(f"{task.id}: {outcome.status}, {outcome.reason}")
            tasks.append(task)
    return Period.of(tuple(tasks), log.events, world.bill)


def planned(day: date, network: str, *, register: bool) -> Task:
    """Plan one day's task, with the worst case that the approver signs for."""
    task = Task(f"index-{day}", f"Index every host of {network} and publish.", network, HOSTS_IN_EACH, register)
    return Task(**{**vars(task), "estimate_usd": worst_case(task), "signed_off_by": APPROVER})


def drill(root: Path) -> bool:
    """Run the drills in a process of their own, against the configuration under `root`."""
    log, results = root / "evidence" / "drill-log.jsonl", root / "evidence" / "drills.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(HERE / "drills" / "pytest.ini"), str(HERE / "drills")]
    command += ["--root", str(root), "--drill-log", str(log), "--junitxml", str(results)]
    done = subprocess.run(command, cwd=HERE, check=False, stdout=sys.stderr)
    if done.returncode > 1:
        raise SystemExit("the drills could not be run")
    in_simulated_time(results, read(log)[-1]["at"])
    return done.returncode == 0


def in_simulated_time(results: Path, ended: str) -> None:
    """Give the results the time of the simulated clock, as everything else here has, and no name of a machine."""
    tree = ET.parse(results)  # noqa: S314  pytest has just written it
    for suite in tree.iter("testsuite"):
        suite.attrib.pop("hostname", None)
        suite.attrib.pop("time", None)
        suite.set("timestamp", ended)
    for case in tree.iter("testcase"):
        case.attrib.pop("time", None)
    ET.indent(tree)
    tree.write(results, encoding="utf-8", xml_declaration=True)


def write_records(root: Path, calendar: Calendar, period: Period, fingerprint: str | None) -> None:
    """Write the dated records, the assessments with the fingerprint of what was assessed."""
    content = {"schema": "psf-audit/records/1", "records": records(calendar, period, fingerprint)}
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)
    (root / "evidence" / "records.yaml").write_text(text, encoding="utf-8")


def assessed_fingerprint(root: Path, as_of: date) -> str | None:
    """Ask psf-audit for the fingerprint of this deployment; none if it is not installed."""
    if importlib.util.find_spec("psf_audit") is None:
        return None
    command = [sys.executable, "-m", "psf_audit", "assess", str(root / "manifest.yaml"), "-f", "json", "--exit-zero"]
    command += ["--as-of", str(as_of)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    try:
        return str(json.loads(done.stdout)["fingerprint"])
    except (ValueError, KeyError):
        return None


if __name__ == "__main__":
    sys.exit(main())
