"""Evidence files, and a manifest, in which one text stands wherever a text can stand.

The files of other programs hold secrets as well, where such files hold them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from tests import deployments
from tests.deployments import Deployment, event, junit, log, records, started, tried

# Invented, in the form that real ones have. None of them may appear, nor the part of it that is secret.
SECRETS = {
    "openai": "sk-proj-Zx81kQmNvB02LrTyWc9dHa77",
    "litellm": "sk-1234567890abcdefLITELLM",
    "anthropic": "sk-ant-api03-QQwe82hsdkf9-asdkjhQWE812",
    "aws id": "AKIAZQ3DRWXOMPLE7ABC",
    "github": "ghp_9aB8cD7eF6gH5iJ4kL3mN2oP1qR0sT9uV8wX",
    "slack": "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy",
    "google": "AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZ2VudCJ9.c2lnbmF0dXJlLW9mLWl0",
    "bearer": "q7hT9vKx2LmNp4RsUw8yZa",
    "database": "Tr0ub4dor3ButLonger",
    "password": "correct-horse-battery",
    "pem": "MIIEowIBAAKCAQEA1c7vPz0hZQ9sXyN3jT8kLmWvRfGdEuBaYtOo",
    "account": "417298365001",
    "mail": "rosalind.okafor",
}
DATABASE = f"postgresql://proxy:{SECRETS['database']}@db.internal:5432/litellm"


def plan(text: str) -> str:
    """A Terraform state in which one text stands wherever a text can, and secret values where they stand."""
    values = {
        "id": SECRETS["aws id"], "secret": SECRETS["password"], "user": "agent", "status": "Active",
        "create_date": "2026-10-01T08:00:00Z", "description": text,
    }  # fmt: skip
    database = {"identifier": text, "username": "proxy", "password": SECRETS["database"], "endpoint": DATABASE}
    role = {
        "name": "agent", "arn": f"arn:aws:iam::{SECRETS['account']}:role/agent",
        "permissions_boundary": f"arn:aws:iam::{SECRETS['account']}:policy/{text[:40]}",
    }  # fmt: skip
    budget = {
        "name": text, "budget_type": "COST", "limit_amount": "40.0", "limit_unit": "USD", "time_unit": "DAILY",
        "account_id": SECRETS["account"],
        "notification": [
            {
                "comparison_operator": "GREATER_THAN", "threshold": 80, "threshold_type": "PERCENTAGE",
                "notification_type": "ACTUAL", "subscriber_email_addresses": [text],
                "subscriber_sns_topic_arns": [f"arn:aws:sns:us-east-1:{SECRETS['account']}:spend"],
            }
        ],
    }  # fmt: skip
    found = [
        ("aws_iam_access_key", values),
        ("aws_db_instance", database),
        ("aws_iam_role", role),
        ("aws_budgets_budget", budget),
    ]
    resources = [
        {
            "address": f"{kind}.agent", "mode": "managed", "type": kind, "name": "agent",
            "provider_name": "registry.terraform.io/hashicorp/aws", "schema_version": 0, "values": own,
            "sensitive_values": {"secret": True, "password": True},
        }
        for kind, own in found
    ]  # fmt: skip
    state = {"format_version": "1.0", "terraform_version": "1.9.0", "values": {"root_module": {"resources": resources}}}
    return json.dumps(state)


def litellm(text: str) -> str:
    config = {
        "model_list": [
            {
                "model_name": text,
                "litellm_params": {
                    "model": "openai/large",
                    "api_key": SECRETS["openai"],
                    "max_budget": 5,
                    "budget_duration": "1d",
                },
            }
        ],
        "litellm_settings": {"max_budget": 50, "success_callback": ["langfuse", text]},
        "general_settings": {"master_key": SECRETS["litellm"], "database_url": DATABASE, "alerting": [text]},
        "environment_variables": {"DATABASE_URL": DATABASE, "ANTHROPIC_API_KEY": SECRETS["anthropic"], "X": text},
        "mcp_servers": {
            "files": {"url": f"https://user:{SECRETS['password']}@mcp.example.com", "allowed_tools": [text]}
        },
    }
    return json.dumps(config)


def trace(text: str) -> str:
    names = (
        "gen_ai.tool.name",
        "gen_ai.request.model",
        "gen_ai.conversation.id",
        "gen_ai.tool.call.id",
        "server.address",
    )
    attributes = [{"key": name, "value": {"stringValue": text}} for name in names]
    attributes.append({"key": "gen_ai.operation.name", "value": {"stringValue": "execute_tool"}})
    span = {
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b1", "name": text, "kind": 1,
        "startTimeUnixNano": "1795168800000000000", "endTimeUnixNano": "1795168809000000000", "attributes": attributes,
    }  # fmt: skip
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": text}}]}
    return json.dumps(
        {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": text}, "spans": [span]}]}]}
    )


def settings(text: str) -> str:
    return json.dumps(
        {
            "permissions": {
                "allow": [f"Bash({text})", f"WebFetch(domain:{text})"],
                "ask": [text],
                "deny": [f"Read({text})"],
            },
            "env": {"API_TOKEN": SECRETS["bearer"], "DATABASE_URL": DATABASE, "X": text},
            "apiKeyHelper": text,
        }
    )


def action(text: str) -> str:
    said = dict.fromkeys(
        ("name", "target", "reason", "actor", "credential", "shown", "id", "session", "task", "via"), text
    )
    return log(started(), event(**said), event(name="forbidden.call", **{k: v for k, v in said.items() if k != "name"}))


def escaped(text: str) -> str:
    text = re.sub(r"[^\t\n -\ud7ff\ue000-\ufffd]", "", text)  # XML 1.0 has no way to write these
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), ('"', "&quot;"), ("\n", "&#10;")):
        text = text.replace(character, entity)
    return text


def record(text: str) -> str:
    said = dict.fromkeys(("by", "role", "org", "subject", "decision", "reason", "run", "fingerprint"), text)
    fields = {text[:80]: True, "note": text}
    entry = {"at": deployments.DAY, "release": "2.4.0", "controls": ["SPEND-02", text], "fields": fields, **said}
    credential = {"holder": "agent", "issued": "2026-11-01", "scope": [text], "secret": SECRETS["password"]}
    return records(
        {"kind": "sign_off", **entry},
        {"kind": "drill", "outcome": "passed", "environment": text, **entry},
        {**entry, "kind": "credential", "fields": credential},
        {**entry, "kind": text},
        {**entry, "kind": "estimate", "amount_usd": text},
    )


FILES: dict[str, Callable[[str], str]] = {
    "evidence/log.jsonl": action,
    "evidence/records.yaml": record,
    "evidence/drills.xml": lambda text: junit(
        tried("SPEND-02", name=escaped(text)), tried(escaped(text)), suite=escaped(text)
    ),
    "docs/other.md": lambda text: (
        "---\n"
        + json.dumps({"owner": text, "kind": text, "reviewed": deployments.DAY, "controls": ["SPEND-02", text]})
        + f"\n---\n# {text}\n"
    ),
    "config/litellm.yaml": litellm,
    "config/plan.json": plan,
    "config/settings.json": settings,
    "evidence/trace.json": trace,
    "config/more.json": lambda text: json.dumps(
        {
            "schema": "psf-audit/guardrails/1",
            "component": text,
            "logs": [{"sink": text, "via": text}],
            "alerts": [{"trigger": "spend", "threshold": 5, "unit": "usd", "channel": text, "recipient": text}],
            "limits": [
                {"resource": "usd", "amount": 1, "patterns": [text], "via": text},
                {"resource": text, "amount": 1},
            ],
            text.partition("//")[0]: 1,
        }
    ),
}


def fill(deployment: Deployment, text: str) -> None:
    """Put the text everywhere in the manifest and in one file of each format."""
    for path, make in FILES.items():
        deployment.put(path, make(text), note=text)
    manifest = deployment.manifest
    manifest["deployment"]["description"] = text
    manifest["agent"]["objective"] = text
    manifest["people"].append({"name": text, "role": "deputy", "contact": text})
    manifest["agent"]["capabilities"].append({"name": text, "cost": "unknown", "via": text})
    manifest["waivers"] = [
        {"control": "SPEND-02", "reason": text, "owner": text, "approved_by": "B", "expires": "2026-12-01"},
        {
            "control": "SPEND-02",
            "reason": text,
            "owner": "A",
            "approved_by": text,
            "expires": "2026-12-01",
            "scope": {"release": f"{text}.0"},
        },
    ]
    manifest["evidence"].append({"missing": text, "would_show": ["SPEND-03"]})
