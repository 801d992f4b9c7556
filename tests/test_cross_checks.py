"""Every cross-check between artifacts, end to end: files as the products write them, and the shipped rubric.

Each check has an honest pair of files, which its control is not contradicted by, and a dishonest one. By that it is
contradicted, and what is found names both files: in the assessment, in the Markdown report and on the terminal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from psf_audit.arguments import digest
from psf_audit.model import Assessment, Finding, Status
from psf_audit.rendering import View
from psf_audit.report.markdown import MARKDOWN
from psf_audit.report.terminal import TERMINAL
from tests import deployments
from tests.deployments import DAY, RELEASE, Deployment, control, log

RUBRIC = "psf-agentic@1.2.0"
Row = dict[str, Any]
Files = dict[str, str]

KEY = "1f3870be274f6c49b3e31a0c6728957f8d1a5e0c5b4b0a0f9f1c2d3e4f506172"


def assessed(folder: Path, files: Files, written_by: Any = None, **manifest: Any) -> Assessment:
    """The assessment of a deployment with these files, on the shipped rubric; `written_by` names producers by path."""
    agent = {
        "objective": "Sort the parcels.",
        "capabilities": [{"name": "planner", "kind": "model", "cost": "unknown"}],
    }
    made: Row = {
        "schema": "psf-audit/manifest/1",
        "deployment": {"name": "parcel-desk", "release": RELEASE, "environment": "staging"},
        "people": [{"name": "R. Okafor", "role": "owner"}],
        "agent": {**agent, **manifest.pop("agent", {})},
        "evidence": [],
        **manifest,
    }
    deployment = Deployment(folder, made)
    for path, text in files.items():
        deployment.put(path, text, **({"produced_by": written_by[path]} if path in (written_by or {}) else {}))
    assessment = deployment.assess(rubric=RUBRIC)
    assert [(entry.path, entry.problem) for entry in assessment.evidence if not entry.readable] == []
    return assessment


def breaks(assessment: Assessment, control_id: str) -> list[Finding]:
    return list(control(assessment, control_id).breaks.rows)


def agrees(assessment: Assessment, *control_ids: str) -> None:
    """Nothing contradicts these controls."""
    found = {one: [row.what for row in breaks(assessment, one)] for one in control_ids}
    assert found == {one: [] for one in control_ids}


def disagrees(assessment: Assessment, control_id: str, *paths: str, what: str = "") -> Finding:
    """The control is contradicted by a finding that names these two files, wherever somebody reads of it."""
    result = control(assessment, control_id)
    assert result.status is Status.CONTRADICTED, result.reason
    naming = [row for row in result.breaks.rows if set(paths) <= named(row, paths) and what in row.what]
    assert naming, [(row.what, row.source, row.against) for row in result.breaks.rows]
    section = MARKDOWN.assessment(assessment, View(200)).split(f"#### {control_id} ")[1].split("\n#### ")[0]
    records = section.split("**Records that contradict it**")[1].split("\n\n**")[0]
    assert any(all(path in line.replace("\\", "") for path in paths) for line in records.splitlines())
    told = terminal(assessment, control_id)
    assert [path for path in paths if path not in told] == []
    return naming[0]


def named(row: Finding, paths: Iterable[str]) -> set[str]:
    """Which of the files a finding names: as one of its sources, or in its words."""
    sources = {source.path for source in (row.source, row.against) if source is not None}
    return {path for path in paths if path in sources or path in row.what}


def terminal(assessment: Assessment, control_id: str) -> str:
    """What the terminal tells of a control, its lines joined again."""
    text = TERMINAL.assessment(assessment, View(400))
    block = text.split(f"\n  {control_id} ")[-1] if f"\n  {control_id} " in text else text
    return re.sub(r"\s+", " ", block)


# --------------------------------------------------------------------------------------------------- files of LiteLLM


def spent(number: int, at: str, usd: float = 1, **values: Any) -> Row:
    """A row of the spend logs: one call of a model with the agent's key."""
    return {
        "request_id": f"chatcmpl-00000000000000{number:04}",
        "call_type": "acompletion",
        "api_key": KEY,
        "spend": usd,
        "total_tokens": 1500,
        "prompt_tokens": 1200,
        "completion_tokens": 300,
        "startTime": f"{DAY}T{at}Z",
        "endTime": f"{DAY}T{at}Z",
        "model": "m-large-2026-08",
        "model_group": "planner",
        "custom_llm_provider": "openai",
        "api_base": "https://api.openai.com/v1",
        "user": "u-114",
        "metadata": {"user_api_key_alias": "parcel-key", "status": "success"},
        "cache_hit": "False",
        "session_id": "s-1",
        "status": "success",
        **values,
    }


def key_info(**values: Any) -> str:
    info = {
        "key_name": "sk-...9QbA",
        "key_alias": "parcel-key",
        "spend": 1.5,
        "models": ["planner"],
        "user_id": "u-114",
    }
    info |= {"max_budget": 10.0, "budget_duration": None, "tpm_limit": None, "rpm_limit": None, "status": "active"}
    info |= {"created_at": "2026-10-05T08:00:00Z", "updated_at": f"{DAY}T09:12:44Z", "blocked": None}
    return json.dumps({"key": KEY, "info": info | values})


PROXY = """\
model_list:
  - model_name: planner
    litellm_params: {model: openai/m-large, api_key: os.environ/OPENAI_API_KEY}
litellm_settings: {max_budget: 20, budget_duration: 1d}
general_settings: {master_key: os.environ/MASTER, database_url: os.environ/DATABASE_URL}
"""


def spend_logs(*rows: Row) -> str:
    return json.dumps(list(rows))


# ----------------------------------------------------------------------------- a cap in config against sums in logs


@pytest.mark.parametrize("duration", [None, "30d"])
def test_the_budget_of_a_key_against_its_spend_logs(tmp_path: Path, duration: str | None) -> None:
    key = key_info(budget_duration=duration)
    few = [spent(number, f"09:{number:02}:00", 3) for number in range(1, 4)]
    honest = {"config/key.json": key, "evidence/spend.json": spend_logs(*few)}
    agrees(assessed(tmp_path / "honest", honest), "SPEND-01", "SPEND-02")

    # A window that may start at any moment may be touched twice, and spent twice.
    many = [spent(number, f"09:{number:02}:00", 3) for number in range(1, 12)]
    dishonest = {**honest, "evidence/spend.json": spend_logs(*many)}
    made = assessed(tmp_path / "dishonest", dishonest)
    row = disagrees(made, "SPEND-01", "config/key.json", "evidence/spend.json")
    assert (row.found, row.expected, row.unit) == ("33", "10", "usd")
    disagrees(made, "SPEND-02", "config/key.json", "evidence/spend.json")


def test_the_budget_of_the_proxy_against_its_spend_logs(tmp_path: Path) -> None:
    honest = {"config/proxy.yaml": PROXY, "evidence/spend.json": spend_logs(spent(1, "09:01:00", 15))}
    agrees(assessed(tmp_path / "honest", honest), "SPEND-01", "SPEND-02")
    many = [spent(number, f"09:{number:02}:00", 15) for number in range(1, 5)]
    made = assessed(tmp_path / "dishonest", {**honest, "evidence/spend.json": spend_logs(*many)})
    disagrees(made, "SPEND-01", "config/proxy.yaml", "evidence/spend.json")


# --------------------------------------------------------------------------------------------------------- AWS


def policy(*actions: str, **statement: Any) -> str:
    """What `aws iam get-role-policy` prints."""
    allow = {"Effect": "Allow", "Action": list(actions), "Resource": "*", **statement}
    document = {"Version": "2012-10-17", "Statement": [allow]}
    return json.dumps({"RoleName": "parcel-role", "PolicyName": "parcels", "PolicyDocument": document})


def trail(*calls: tuple[str, ...], role: str = "parcel-role", **values: Any) -> str:
    """A log file of CloudTrail with these calls: service, operation, and when, else one a minute."""
    issuer = {"type": "Role", "arn": f"arn:aws:iam::111122223333:role/{role}", "userName": role}
    identity = {"type": "AssumedRole", "arn": f"arn:aws:sts::111122223333:assumed-role/{role}/run-1"}
    records = [
        {
            "eventVersion": "1.11",
            "userIdentity": identity | {"accountId": "111122223333", "sessionContext": {"sessionIssuer": issuer}},
            "eventTime": f"{DAY}T{(*when, f'09:{number:02}:00')[0]}Z",
            "eventSource": f"{service}.amazonaws.com",
            "eventName": operation,
            "awsRegion": "eu-west-1",
            "requestParameters": {},
            "requestID": f"req-00000000000000{number:02}",
            "eventID": f"event-000000000000{number:02}",
            "eventType": "AwsApiCall",
            "eventCategory": "Management",
            **values,
        }
        for number, (service, operation, *when) in enumerate(calls, 1)
    ]
    return json.dumps({"Records": records})


OWN_ROLE = {"agent": {"credentials": [{"name": "parcel-role", "holder": "agent", "via": "aws"}]}}


def budget_plan(usd: int) -> str:
    """A Terraform state with a budget of a day and an action that stops at it."""
    budget = {"name": "agent-daily", "budget_type": "COST", "limit_amount": str(usd), "limit_unit": "USD"}
    threshold: Row = {"action_threshold_type": "ABSOLUTE_VALUE", "action_threshold_value": usd}
    action: Row = {"budget_name": "agent-daily", "action_type": "APPLY_IAM_POLICY", "approval_model": "AUTOMATIC"}
    action |= {"notification_type": "ACTUAL", "action_threshold": [threshold]}
    made = [
        {"address": f"{kind}.stop", "mode": "managed", "type": kind, "name": "stop", "values": values}
        for kind, values in (
            ("aws_budgets_budget", budget | {"time_unit": "DAILY"}),
            ("aws_budgets_budget_action", action),
        )
    ]
    values = {"root_module": {"resources": made}}
    return json.dumps({"format_version": "1.0", "terraform_version": "1.14.0", "values": values})


def launched(number: int, usd: float, at: str) -> Row:
    """A machine that the agent's gateway says it launched, with the request id of AWS."""
    name = {"name": "ec2:RunInstances", "via": "aws", "credential": "parcel-role", "outcome": "ok"}
    return deployments.event(id=f"req-00000000000000{number:02}", cost_usd=usd, at=f"{DAY}T{at}Z", **name)


@pytest.mark.parametrize("with_trail", [False, True])
def test_the_action_of_a_cloud_budget_against_the_cost_in_a_log(tmp_path: Path, with_trail: bool) -> None:
    def files(*calls: tuple[float, str]) -> Files:
        lines = [launched(number, usd, at) for number, (usd, at) in enumerate(calls, 1)]
        made = {"config/state.json": budget_plan(100), "evidence/log.jsonl": log(*lines)}
        # The trail holds the same calls, and no cost: it must not hide what the gateway says that they cost.
        seen = {"evidence/trail.json": trail(*(("ec2", "RunInstances", at) for _, at in calls))}
        return made | (seen if with_trail else {})

    # The figures of a budget of AWS are up to twelve hours old.
    agrees(assessed(tmp_path / "honest", files((120, "01:00:00"), (60, "09:00:00"))), "SPEND-01")
    made = assessed(tmp_path / "dishonest", files((120, "01:00:00"), (60, "23:00:00")))
    disagrees(made, "SPEND-01", "config/state.json", "evidence/trail.json" if with_trail else "evidence/log.jsonl")


# ----------------------------------------------------------------------------------- tools used against tools allowed


def test_the_policy_of_a_role_against_the_trail_of_the_account(tmp_path: Path) -> None:
    allowed = {"config/policy.json": policy("s3:get*", "s3:ListBucket", "ec2:Describe*", "lambda:InvokeFunction")}
    calls = [("s3", "GetObject"), ("ec2", "DescribeInstances"), ("sts", "GetCallerIdentity")]
    # What CloudTrail calls otherwise than policies do.
    calls += [("s3", "ListObjectsV2"), ("s3", "HeadObject"), ("lambda", "Invoke")]
    honest = allowed | {"evidence/trail.json": trail(*calls)}
    agrees(assessed(tmp_path / "honest", honest, **OWN_ROLE), "BOUND-01", "BOUND-02")
    dishonest = allowed | {"evidence/trail.json": trail(*calls, ("ec2", "RunInstances"))}
    made = assessed(tmp_path / "dishonest", dishonest, **OWN_ROLE)
    row = disagrees(made, "BOUND-02", "config/policy.json", "evidence/trail.json")
    assert "ec2:RunInstances" in row.what


def test_a_role_that_calls_models_is_the_agents_without_a_word_of_the_manifest(tmp_path: Path) -> None:
    files = {"config/policy.json": policy("bedrock:InvokeModel"), "evidence/trail.json": trail(("ec2", "RunInstances"))}
    # Whose the role is nobody says: what was done with it is nobody's.
    agrees(assessed(tmp_path / "nobody", files), "BOUND-02")
    calls = trail(("bedrock", "InvokeModel"), ("ec2", "RunInstances"))
    made = assessed(tmp_path / "agent", files | {"evidence/trail.json": calls})
    disagrees(made, "BOUND-02", "config/policy.json", "evidence/trail.json", what="ec2:RunInstances")
    someone = {"agent": {"credentials": [{"name": "parcel-role", "holder": "human", "via": "aws"}]}}
    agrees(assessed(tmp_path / "human", files | {"evidence/trail.json": calls}, **someone), "BOUND-02")


SESSION = "7d1f0c52-3a68-4b0e-9a55-0c4f6a1b2e90"


def transcript(*calls: tuple[str, Row]) -> str:
    """The transcript of a session of Claude Code with these calls of tools, each of which succeeded."""
    base = {
        "sessionId": SESSION,
        "version": "2.1.283",
        "entrypoint": "cli",
        "isSidechain": False,
        "userType": "external",
    }
    lines: list[Row] = []
    for number, (name, given) in enumerate(calls, 1):
        asked = {"type": "tool_use", "id": f"toolu_0000000000000{number:03}", "name": name, "input": given}
        usage = {"input_tokens": 10, "output_tokens": 3}
        said = {
            "model": "claude-sonnet-5",
            "id": f"msg_{number}",
            "role": "assistant",
            "content": [asked],
            "usage": usage,
        }
        result = {"type": "tool_result", "tool_use_id": asked["id"], "content": "done", "is_error": False}
        entries = (("assistant", said), ("user", {"role": "user", "content": [result]}))
        for place, (kind, message) in enumerate(entries):
            moment = f"{DAY}T09:{number:02}:{place:02}.000Z"
            known = {"uuid": f"{number}-{place}", "parentUuid": None, "timestamp": moment, **base}
            lines.append({"type": kind, "message": message, **known})
    return "".join(json.dumps(line) + "\n" for line in lines)


def settings(**permissions: Any) -> str:
    return json.dumps({"permissions": permissions})


WORK = [
    ("Read", {"file_path": "/work/parcels/notes.md"}),
    ("Bash", {"command": "ls"}),
    ("Bash", {"command": "make all"}),
]


def test_the_settings_of_claude_code_against_a_transcript(tmp_path: Path) -> None:
    allowed = settings(
        allow=["Read", "Bash(ls)", "Bash(make *)", "WebFetch(domain:docs.parcels.example)"], defaultMode="dontAsk"
    )
    fetch = ("WebFetch", {"url": "https://docs.parcels.example/rates?day=1", "prompt": "rates"})
    files = {".claude/settings.json": allowed, "evidence/session.jsonl": transcript(*WORK, fetch)}
    agrees(assessed(tmp_path / "honest", files), "BOUND-01", "BOUND-02")

    made = assessed(
        tmp_path / "tool", files | {"evidence/session.jsonl": transcript(*WORK, ("mcp__site__publish", {}))}
    )
    row = disagrees(made, "BOUND-02", ".claude/settings.json", "evidence/session.jsonl")
    assert "mcp__site__publish" in row.what

    elsewhere = ("WebFetch", {"url": "https://evil.example/x", "prompt": "x"})
    made = assessed(tmp_path / "host", files | {"evidence/session.jsonl": transcript(*WORK, elsewhere)})
    disagrees(made, "BOUND-01", ".claude/settings.json", "evidence/session.jsonl")

    refused = settings(deny=["Bash"], allow=["Read"], defaultMode="default")
    made = assessed(tmp_path / "refused", files | {".claude/settings.json": refused})
    row = disagrees(made, "BOUND-02", ".claude/settings.json", "evidence/session.jsonl")
    assert "Bash" in row.what


def test_the_claimed_targets_against_a_transcript(tmp_path: Path) -> None:
    declared = {"dimension": "target", "effect": "allow", "patterns": ["*.parcels.example"], "layer": "harness"}
    scope = {"guardrails": {"boundaries": [declared]}, "agent": {"scope": {"expected_size": 1}}}
    many = [("Bash", {"command": f"make parcel-{number}"}) for number in range(20)]
    fetch = ("WebFetch", {"url": "https://docs.parcels.example/rates", "prompt": "rates"})
    honest = {"evidence/session.jsonl": transcript(*WORK, *many, fetch)}
    agrees(assessed(tmp_path / "honest", honest, **scope), "BOUND-01", "BOUND-09")

    elsewhere = ("WebFetch", {"url": "https://evil.example/x", "prompt": "x"})
    made = assessed(tmp_path / "dishonest", {"evidence/session.jsonl": transcript(*WORK, elsewhere)}, **scope)
    row = disagrees(made, "BOUND-01", "manifest.yaml", "evidence/session.jsonl")
    assert "evil.example" in row.what


@pytest.mark.parametrize("pattern", ["/work/parcels/**", "/work/parcels/*"])
def test_the_claimed_paths_against_a_transcript(tmp_path: Path, pattern: str) -> None:
    claim = {"dimension": "path", "effect": "allow", "patterns": [pattern], "layer": "harness"}
    claims = {"guardrails": {"boundaries": [claim]}}
    agrees(assessed(tmp_path / "honest", {"evidence/session.jsonl": transcript(*WORK)}, **claims), "BOUND-01")
    edit = ("Edit", {"file_path": "/etc/hosts", "old_string": "a", "new_string": "b"})
    made = assessed(tmp_path / "dishonest", {"evidence/session.jsonl": transcript(*WORK, edit)}, **claims)
    disagrees(made, "BOUND-01", "manifest.yaml", "evidence/session.jsonl")


# ------------------------------------------------------------------------------------------------------ OPA and Cedar


def decision(number: int, tool: str, *, allowed: bool) -> Row:
    """A decision of OPA about the call of a tool."""
    asked = {"agent": "sorter", "session_id": "run-1", "tool": tool, "tool_call_id": f"call-000000000000{number:04}"}
    stamp = {
        "decision_id": f"decision-{number:012}",
        "timestamp": f"{DAY}T09:{number:02}:00.5Z",
        "path": "agents/tools/allow",
    }
    return {"labels": {"id": "opa-1", "version": "1.10.0"}, **stamp, "input": asked, "result": allowed}


def lines(*values: Row) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


def done(number: int, name: str, **values: Any) -> Row:
    call = {"id": f"call-000000000000{number:04}", "name": name, "outcome": "ok", "at": f"{DAY}T09:{number:02}:01Z"}
    return deployments.event(**{**call, **values})


def test_the_decisions_of_opa_against_what_the_agent_did(tmp_path: Path) -> None:
    asked = [
        decision(1, "parcel.read", allowed=True),
        decision(2, "parcel.drop", allowed=False),
        decision(3, "parcel.read", allowed=True),
    ]
    shared = {"evidence/decisions.jsonl": lines(*asked)}
    obeyed = [done(1, "parcel.read"), done(2, "parcel.drop", outcome="denied"), done(3, "parcel.read")]
    honest = shared | {"evidence/log.jsonl": log(*obeyed, produced_by="agent")}
    agrees(assessed(tmp_path / "honest", honest), "AUDIT-01")
    ignored = [done(1, "parcel.read"), done(2, "parcel.drop"), done(3, "parcel.read")]
    made = assessed(tmp_path / "dishonest", shared | {"evidence/log.jsonl": log(*ignored, produced_by="agent")})
    disagrees(made, "AUDIT-01", "evidence/decisions.jsonl", "evidence/log.jsonl")


CEDAR = """\
permit (principal, action in [Action::"parcel.read", Action::"parcel.move"], resource);
forbid (principal, action == Action::"parcel.drop", resource);
"""


def test_the_policies_of_cedar_against_a_log_of_the_gateway(tmp_path: Path) -> None:
    begun = deployments.started(CEDAR)
    honest = {
        "config/tools.cedar": CEDAR,
        "evidence/log.jsonl": log(begun, done(1, "parcel.read"), done(2, "parcel.move")),
    }
    agrees(assessed(tmp_path / "honest", honest), "BOUND-02")
    for name in ("parcel.drop", "parcel.sell"):
        dishonest = honest | {"evidence/log.jsonl": log(begun, done(1, "parcel.read"), done(2, name))}
        made = assessed(tmp_path / name, dishonest)
        row = disagrees(made, "BOUND-02", "config/tools.cedar", "evidence/log.jsonl")
        assert name in row.what


# ----------------------------------------------------------------------------------------------------------- networks

EGRESS = """\
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: agent-egress, namespace: agents}
spec:
  endpointSelector: {}
  egress:
    - toFQDNs: [{matchPattern: "*.parcels.example"}]
"""


def spans(*made: Row) -> str:
    """A trace in OTLP/JSON."""
    listed = [
        {
            "traceId": "5f1c2a7be0d94c3b8a6e4d2f10c3b5a7",
            "spanId": f"a0000000000000{number:02}",
            "name": span["gen_ai.operation.name"],
            "startTimeUnixNano": str(_nanoseconds(span.pop("at", f"09:{number:02}:00"))),
            "endTimeUnixNano": str(_nanoseconds("23:00:00")),
            "attributes": [{"key": key, "value": _any(value)} for key, value in span.items()],
        }
        for number, span in enumerate((dict(span) for span in made), 1)
    ]
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": listed}]}]})


def _nanoseconds(time: str) -> int:
    hours, minutes, seconds = map(int, time.split(":"))
    return (1_795_132_800 + hours * 3600 + minutes * 60 + seconds) * 10**9


def _any(value: object) -> Row:
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": str(value)}


def used(tool: str, host: str, **values: Any) -> Row:
    return {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool, "server.address": host, **values}


def test_the_network_policy_of_the_cluster_against_the_hosts_of_a_trace(tmp_path: Path) -> None:
    # A trace does not say which way a call took: here the manifest says that the tool runs in the cluster.
    fetch = {"name": "fetch", "kind": "tool", "effect": "read", "via": "kubernetes", "cost": "free"}
    manifest = {"agent": {"capabilities": [fetch]}}
    policy_file = {"config/egress.yaml": EGRESS}
    honest = policy_file | {"evidence/trace.json": spans(used("fetch", "api.parcels.example"))}
    agrees(assessed(tmp_path / "honest", honest, **manifest), "BOUND-01")
    dishonest = policy_file | {
        "evidence/trace.json": spans(used("fetch", "api.parcels.example"), used("fetch", "evil.example"))
    }
    made = assessed(tmp_path / "dishonest", dishonest, **manifest)
    row = disagrees(made, "BOUND-01", "config/egress.yaml", "evidence/trace.json")
    assert "evil.example" in row.what


# ----------------------------------------------------------------------------------- gated calls against approvals


def managed(*events: Row, policy_type: str = "always_ask") -> str:
    """A session of Claude Managed Agents, whose shell asks, with these events."""
    asks = {"name": "bash", "enabled": True, "permission_policy": {"type": policy_type}}
    default = {"enabled": True, "permission_policy": {"type": "always_allow"}}
    toolset = {"type": "agent_toolset_20260401", "default_config": default, "configs": [asks]}
    agent = {"type": "agent", "id": "agent_1", "name": "Sorter", "model": {"id": "claude-sonnet-5"}, "tools": [toolset]}
    session = {
        "type": "session",
        "id": "sesn_1",
        "environment_id": "env_1",
        "updated_at": f"{DAY}T09:00:00Z",
        "agent": agent,
    }
    stamped = [
        {"id": f"sevt_{number:016}", "processed_at": f"{DAY}T09:{number:02}:00Z", **event}
        for number, event in enumerate(events, 1)
    ]
    return lines(session, *stamped)


def shell(number: int, command: str) -> tuple[Row, Row]:
    """A call of the shell, the number-th event of its session, and its result."""
    ident = f"sevt_{number:016}"
    asked = {"type": "agent.tool_use", "name": "bash", "input": {"command": command}, "evaluated_permission": "ask"}
    return asked, {"type": "agent.tool_result", "tool_use_id": ident, "is_error": False, "content": []}


def test_the_confirmations_of_a_managed_session_against_its_calls(tmp_path: Path) -> None:
    first, first_result = shell(1, "make labels")
    waits = {"type": "session.status_idle", "stop_reason": {"type": "requires_action", "event_ids": [f"sevt_{1:016}"]}}
    confirmed = {"type": "user.tool_confirmation", "tool_use_id": f"sevt_{1:016}", "result": "allow"}
    events = [first, waits, confirmed, first_result]
    honest = assessed(tmp_path / "honest", {"evidence/session.jsonl": managed(*events)})
    # Whether a person confirmed is not known, which proves nothing in either direction.
    assert {row.what for row in breaks(honest, "CHECK-03")} == {"bash on make labels: approved by nobody named"}
    for one in ("CHECK-03", "AUDIT-04", "CHECK-05"):
        assert control(honest, one).status is not Status.CONTRADICTED
    agrees(honest, "BOUND-02")

    second, second_result = shell(5, "rm -r labels")
    made = assessed(tmp_path / "dishonest", {"evidence/session.jsonl": managed(*events, second, second_result)})
    disagrees(made, "CHECK-03", "evidence/session.jsonl", what="bash on rm -r labels: no approval")


def run_state(*, approved: list[str], calls: int) -> str:
    """The state of a run of the OpenAI Agents SDK in which money was sent."""
    ids = [f"call_{number:016}" for number in range(1, calls + 1)]
    asked = [
        {
            "type": "tool_call_item",
            "raw_item": {
                "type": "function_call",
                "name": "send_money",
                "call_id": ident,
                "arguments": '{"amount": 30}',
            },
            "agent": {"name": "desk"},
        }
        for ident in ids
    ]
    answers = [
        {
            "type": "tool_call_output_item",
            "raw_item": {"type": "function_call_output", "call_id": ident, "output": "ok"},
        }
        for ident in ids
    ]
    record = {"agent": {"name": "desk"}, "tool_key": "send_money", "decision": {"approved": approved, "rejected": []}}
    ran = {ident: {"type": "function_call", "executed": True, "completed": True} for ident in ids}
    context = {"approvals": {}, "function_tool_approvals": [record], "tool_invocations": ran, "context": {}}
    trace = {"id": "trace_1", "group_id": "thread_1"}
    state = {"$schemaVersion": "1.21", "current_turn": 1, "context": context, "generated_items": [*asked, *answers]}
    return json.dumps(state | {"trace": trace, "current_step": None})


PAYING = {
    "agent": {
        "capabilities": [
            {"name": "send_money", "kind": "tool", "effect": "pay", "via": "openai-agents", "cost": "free"}
        ]
    }
}


def test_the_approvals_of_a_run_state_against_its_calls(tmp_path: Path) -> None:
    one = f"call_{1:016}"
    honest = assessed(tmp_path / "honest", {"evidence/state.json": run_state(approved=[one], calls=1)}, **PAYING)
    assert [row.what for row in breaks(honest, "CHECK-03")] == [
        "send_money on an unnamed target: approved by nobody named"
    ]
    assert control(honest, "CHECK-03").status is not Status.CONTRADICTED
    made = assessed(tmp_path / "dishonest", {"evidence/state.json": run_state(approved=[one], calls=2)}, **PAYING)
    disagrees(made, "CHECK-03", "evidence/state.json", what="send_money on an unnamed target: no approval")


DEPLOY = {"command": "make publish"}


def humanlayer(**values: Any) -> str:
    approval = {
        "id": "local-1",
        "run_id": "run-1",
        "session_id": "sess-3",
        "status": "approved",
        "created_at": f"{DAY}T08:00:00Z",
        "responded_at": f"{DAY}T08:02:30Z",
        "tool_name": "Bash",
        "tool_input": DEPLOY,
        "comment": "go on",
    }
    return json.dumps({"data": [approval | values]})


PUBLISHING = {"agent": {"capabilities": [{"name": "Bash", "kind": "shell", "effect": "publish", "cost": "free"}]}}


def asked_for(approval: Row, *calls: Row) -> Files:
    acts = [done(number, "Bash", **{"args_digest": digest(DEPLOY), **call}) for number, call in enumerate(calls, 1)]
    return {"evidence/approvals.json": humanlayer(**approval), "evidence/log.jsonl": log(*acts)}


def test_the_approvals_of_humanlayer_agree_with_a_log(tmp_path: Path) -> None:
    honest = assessed(tmp_path, asked_for({}, {"approval": "local-1"}), **PUBLISHING)
    assert {row.what.split(": ")[1] for row in breaks(honest, "CHECK-03")} == {"approved by nobody named"}
    assert control(honest, "CHECK-03").status is not Status.CONTRADICTED
    # That an answer names nobody leaves what needs no approval known.
    assert control(honest, "BOUND-02").gaps.count == control(honest, "SPEND-01").gaps.count == 0


BOTH = ("evidence/log.jsonl", "evidence/approvals.json")
LOG = BOTH[:1]
BY_ITSELF = {"comment": "Auto-accepted (auto-accept mode)", "responded_at": None}


@pytest.mark.parametrize(
    ("approval", "calls", "fault", "paths"),
    [
        ({}, [{"args_digest": digest({"command": "rm -rf /"})}], "the approval is for other arguments", BOTH),
        ({}, [{}, {"approval": None}], "no approval", LOG),
        ({}, [{}, {"approval": "local-9"}], "names an approval that no record holds", LOG),
        ({"responded_at": f"{DAY}T23:00:00Z"}, [{}], "approved afterwards", BOTH),
        (BY_ITSELF, [{}], "approved by system", BOTH),
        ({"tool_name": "Edit"}, [{}], "the approval is standing, or for something else", BOTH),
    ],
)
def test_the_approvals_of_humanlayer_against_a_log(
    tmp_path: Path, approval: Row, calls: list[Row], fault: str, paths: tuple[str, ...]
) -> None:
    made = assessed(tmp_path, asked_for(approval, *({"approval": "local-1", **call} for call in calls)), **PUBLISHING)
    disagrees(made, "CHECK-03", *paths, what=fault)
    assert control(made, "AUDIT-04").status is Status.CONTRADICTED


# ------------------------------------------------------------ calls at the gateway against those in the agent's trace


def asked(number: int, at: str, **values: Any) -> Row:
    """A span of the call of a model that row `number` of the spend logs is."""
    named = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "planner", "at": at}
    return {**named, "gen_ai.response.id": f"chatcmpl-00000000000000{number:04}", **values}


def payload(number: int, at: str, **values: Any) -> Row:
    """The logging payload of the same call."""
    metadata = {"user_api_key_hash": KEY, "user_api_key_alias": "parcel-key"}
    kept = {
        "id": f"chatcmpl-00000000000000{number:04}",
        "trace_id": "t",
        "call_type": "acompletion",
        "status": "success",
    }
    start = _nanoseconds(at) / 10**9
    used_ = {"response_cost": 1.0, "total_tokens": 1500, "prompt_tokens": 1200, "completion_tokens": 300}
    named = {
        "startTime": start,
        "endTime": start + 1,
        "model": "m-large",
        "model_group": "planner",
        "metadata": metadata,
    }
    return {**kept, **used_, **named, "custom_llm_provider": "openai", **values}


TIMES = [f"09:{minute:02}:00" for minute in range(1, 6)]


def gateway_log(kind: str, numbers: Iterable[int], **values: Any) -> Files:
    if kind == "payloads":
        rows = [payload(number, TIMES[number - 1], **values) for number in numbers]
        return {"evidence/gateway.jsonl": lines(*rows)}
    return {"evidence/gateway.jsonl": lines(*(spent(number, TIMES[number - 1], **values) for number in numbers))}


@pytest.mark.parametrize("kind", ["spend logs", "payloads"])
def test_the_log_of_litellm_against_the_trace_of_the_agent(tmp_path: Path, kind: str) -> None:
    everything = range(1, 6)
    gateway = gateway_log(kind, everything)
    # The library of LiteLLM writes payloads as well, in the process of the agent: that these are the proxy's is said.
    by_proxy = {"written_by": {"evidence/gateway.jsonl": "gateway"} if kind == "payloads" else {}}

    def trace(numbers: Iterable[int], **values: Any) -> Files:
        return {"evidence/trace.json": spans(*(asked(number, TIMES[number - 1], **values) for number in numbers))}

    both = ("evidence/gateway.jsonl", "evidence/trace.json")
    honest = assessed(tmp_path / "honest", gateway | trace(everything), **by_proxy)
    agrees(honest, "AUDIT-01", "AUDIT-06")
    assert any("5 second accounts" in limit for limit in honest.limits_of_assessment)

    made = assessed(tmp_path / "untraced", gateway | trace([1, 2, 5]), **by_proxy)
    assert disagrees(made, "AUDIT-01", *both).found == "2"
    through = {"psf.via": "litellm"}
    made = assessed(tmp_path / "unseen", gateway_log(kind, [1, 2, 5]) | trace(everything, **through), **by_proxy)
    disagrees(made, "AUDIT-01", *both)
    # Without `psf.via` the manifest says which way the model is called.
    way = {"agent": {"capabilities": [{"name": "planner", "kind": "model", "via": "litellm", "cost": "unknown"}]}}
    made = assessed(tmp_path / "declared", gateway_log(kind, [1, 2, 5]) | trace(everything), **by_proxy, **way)
    disagrees(made, "AUDIT-01", *both)
    made = assessed(tmp_path / "outcome", gateway | trace(everything, **{"error.type": "server_error"}), **by_proxy)
    disagrees(made, "AUDIT-01", *both)
    made = assessed(tmp_path / "cost", gateway | trace(everything, **{"gen_ai.usage.cost": "0.1"}), **by_proxy)
    disagrees(made, "AUDIT-06", *both)


def invoked(number: int) -> Row:
    """A line of the invocation log of Bedrock."""
    identity = {"arn": "arn:aws:sts::111122223333:assumed-role/parcel-role/run-1"}
    answer = {"outputBodyJson": {"stopReason": "end_turn"}, "outputTokenCount": 300}
    head = {"schemaType": "ModelInvocationLog", "schemaVersion": "1.0", "timestamp": f"{DAY}T{TIMES[number - 1]}Z"}
    named = {
        "requestId": request_id(number),
        "operation": "Converse",
        "modelId": "example.large-v1:0",
        "identity": identity,
    }
    return {**head, **named, "input": {"inputTokenCount": 1200}, "output": answer}


def request_id(number: int) -> str:
    return f"1e2f6a0c-0000-4000-8000-{number:012}"


def printed(*numbers: int) -> str:
    """Spans of botocore as the SDK's console exporter prints them: AWS's own request id is in `aws.request_id`."""
    return "\n".join(
        json.dumps(
            {
                "name": "chat example.large-v1:0",
                "context": {
                    "trace_id": "0x5f1c2a7be0d94c3b8a6e4d2f10c3b5a7",
                    "span_id": f"0xa0000000000000{number:02}",
                },
                "kind": "SpanKind.CLIENT",
                "parent_id": None,
                "start_time": f"{DAY}T{TIMES[number - 1]}.000000Z",
                "end_time": f"{DAY}T{TIMES[number - 1][:-2]}01.000000Z",
                "status": {"status_code": "UNSET"},
                "attributes": {
                    "gen_ai.system": "aws.bedrock",
                    "gen_ai.operation.name": "chat",
                    "gen_ai.request.model": "example.large-v1:0",
                    "gen_ai.usage.input_tokens": 1200,
                    "gen_ai.usage.output_tokens": 300,
                    "rpc.system": "aws-api",
                    "aws.request_id": request_id(number),
                },
            },
            indent=4,
        )
        for number in numbers
    )


def test_the_log_of_bedrock_against_the_spans_of_an_sdk(tmp_path: Path) -> None:
    shared = {"evidence/invocations.jsonl": lines(*(invoked(number) for number in range(1, 6)))}
    honest = assessed(tmp_path / "honest", shared | {"evidence/spans.json": printed(1, 2, 3, 4, 5)})
    agrees(honest, "AUDIT-01")
    assert any("5 second accounts" in limit for limit in honest.limits_of_assessment)
    made = assessed(tmp_path / "dishonest", shared | {"evidence/spans.json": printed(1, 5)})
    row = disagrees(made, "AUDIT-01", "evidence/invocations.jsonl", "evidence/spans.json")
    assert row.found == "3"


# ----------------------------------------------------------------------------------------- logged cost against the bill


def october(day: int, number: int, usd: float, **values: Any) -> Row:
    return spent(number, "09:00:00", usd, startTime=f"2026-10-{day:02}T09:00:00Z", **values)


def focus(usd: float, provider: str) -> str:
    header = "BilledCost,BillingCurrency,ChargeCategory,ChargePeriodStart,ChargePeriodEnd,ProviderName\n"
    return header + f"{usd},USD,Usage,2026-10-01T00:00:00Z,2026-11-01T00:00:00Z,{provider}\n"


def openai_costs(usd: float) -> str:
    result = {"object": "organization.costs.result", "amount": {"value": usd, "currency": "usd"}, "line_item": None}
    bucket = {"object": "bucket", "start_time": 1790812800, "end_time": 1793491200, "results": [result]}
    return json.dumps({"object": "page", "data": [bucket], "has_more": False, "next_page": None})


BILLS: dict[str, Callable[[float], tuple[str, str]]] = {
    "focus": lambda usd: ("evidence/bill.csv", focus(usd, "OpenAI")),
    "openai": lambda usd: ("evidence/bill.json", openai_costs(usd)),
}


@pytest.mark.parametrize("kind", BILLS)
@pytest.mark.parametrize("billed", [10, 400])
def test_the_spend_logs_of_a_gateway_against_the_bill_of_the_provider(tmp_path: Path, kind: str, billed: int) -> None:
    other = october(15, 9, 500, custom_llm_provider="anthropic")
    log_file = {"evidence/spend.json": spend_logs(october(2, 1, 50), other, october(30, 2, 50))}
    path, same = BILLS[kind](100)
    agrees(assessed(tmp_path / "honest", log_file | {path: same}), "AUDIT-06")
    made = assessed(tmp_path / "dishonest", log_file | dict([BILLS[kind](billed)]))
    row = disagrees(made, "AUDIT-06", path, "evidence/spend.json")
    assert (row.found, row.expected, row.unit) == ("100", str(billed), "usd")


@pytest.mark.parametrize(
    ("provider", "way"), [("AWS", "bedrock"), ("Microsoft", "azure"), ("Google Cloud", "vertex_ai")]
)
def test_a_model_of_a_cloud_behind_the_gateway_is_on_the_bill_of_the_cloud(
    tmp_path: Path, provider: str, way: str
) -> None:
    rows = [october(2, 1, 50, custom_llm_provider=way), october(30, 2, 50, custom_llm_provider=way)]
    files = {"evidence/spend.json": spend_logs(*rows), "evidence/bill.csv": focus(100, provider)}
    agrees(assessed(tmp_path / "honest", files), "AUDIT-06")
    made = assessed(tmp_path / "dishonest", files | {"evidence/bill.csv": focus(20, provider)})
    disagrees(made, "AUDIT-06", "evidence/bill.csv", "evidence/spend.json")


def test_what_a_log_does_not_say_whose_it_was_is_not_held_against_a_bill(tmp_path: Path) -> None:
    unknown = [october(2, 1, 50, custom_llm_provider=None), october(30, 2, 60, custom_llm_provider=None)]
    for billed in (20, 110):
        files = {"evidence/spend.json": spend_logs(*unknown), "evidence/bill.json": openai_costs(billed)}
        agrees(assessed(tmp_path / str(billed), files), "AUDIT-06")
    # More was billed than all of it together: some of it is not in the log.
    files = {"evidence/spend.json": spend_logs(*unknown), "evidence/bill.json": openai_costs(400)}
    disagrees(assessed(tmp_path / "more", files), "AUDIT-06", "evidence/bill.json", "evidence/spend.json")


# ------------------------------------------------------------------------------------ limits claimed and configured


@pytest.mark.parametrize(("path", "text", "scope"), [
    ("config/key.json", key_info(budget_duration="1d"), "key"),
    ("config/proxy.yaml", PROXY, "account"),
])  # fmt: skip
def test_the_claimed_budget_against_the_one_that_is_configured(
    tmp_path: Path, path: str, text: str, scope: str
) -> None:
    def claimed(usd: int) -> Row:
        limit = {"resource": "usd", "amount": usd, "scope": scope, "per_seconds": 86400, "on_breach": "deny"}
        return {"guardrails": {"limits": [limit | {"layer": "gateway", "via": "litellm"}]}}

    agrees(assessed(tmp_path / "honest", {path: text}, **claimed(20)), "SPEND-01")
    made = assessed(tmp_path / "dishonest", {path: text}, **claimed(5))
    row = disagrees(made, "SPEND-01", "manifest.yaml", path)
    assert row.expected == "5"


def test_the_claimed_rate_against_that_of_the_key(tmp_path: Path) -> None:
    limit = {
        "resource": "requests",
        "amount": 10,
        "scope": "key",
        "per_seconds": 60,
        "layer": "gateway",
        "via": "litellm",
    }
    claim = {"guardrails": {"limits": [limit]}}
    agrees(assessed(tmp_path / "honest", {"config/key.json": key_info(rpm_limit=10)}, **claim), "BOUND-04")
    made = assessed(tmp_path / "dishonest", {"config/key.json": key_info(rpm_limit=600)}, **claim)
    disagrees(made, "BOUND-04", "manifest.yaml", "config/key.json")
