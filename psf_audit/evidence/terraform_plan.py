"""A Terraform plan or state as `terraform show -json` prints it: AWS budgets, quotas, policies, trails and keys.

The format is that of "JSON Output Format" (developer.hashicorp.com/terraform/internals/json-format): a plan has
`planned_values` and `resource_changes`, a state has `values`; modules nest. A resource that the plan destroys or
forgets does not count; one that it replaces does. What is known only after the plan was applied is not in it.

- A budget alone tells somebody and stops nothing, at AWS, Google and Azure alike. A budget action stops when AWS runs
  it by itself (`approval_model` AUTOMATIC) on ACTUAL cost. One that waits for approval (MANUAL) stops nothing until
  somebody approves it, so it is a gate that notifies and goes on; one on FORECASTED cost is an alert.
- "AWS Budgets information is updated up to three times a day. Updates typically occur 8-12 hours after the previous
  update" ("Managing your costs with AWS Budgets"): a stop lags 12 hours.
- A month counts as 30 days, a quarter as 90, a year as 365. Only a daily window is taken as aligned: the others start
  at calendar dates, not at multiples of their length.
- A budget that counts some services, regions or tags only is a ceiling of less than the account: tags and cost
  categories give the scope project, any other filter is a gap.
- A policy statement bounds actions (dimension tool) and resources (dimension target). A refusal counts for all
  resources, or for all actions, of AWS; one that is limited further, or by conditions, is a gap. A permissions boundary
  whose document is in the file refuses whatever it does not allow ("Permissions boundaries for IAM entities"). The
  policy that a budget action applies refuses nothing before that and gives no boundary.
- A trail's digest files each hold the signature of the one before ("Validating CloudTrail log file integrity"). Object
  lock is append-only in compliance mode; governance mode can be bypassed with a permission, versioning alone protects
  nothing ("Locking objects with Object Lock").
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from psf_audit.artifact import EvidenceFormat
from psf_audit.errors import Unreadable
from psf_audit.facts.model import Fact, Gap, Stated
from psf_audit.reading import parse_json, pointer
from psf_audit.values import amount, day_of, list_of, mapping_of, midnight, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from psf_audit.artifact import Artifact
    from psf_audit.facts.model import Item
    from psf_audit.reading import Path_

VIA = "aws"
BUDGET_LAG_SECONDS = 43_200
_PERIODS = {"DAILY": 86_400, "MONTHLY": 2_592_000, "QUARTERLY": 7_776_000, "ANNUALLY": 31_536_000}
_SCP = "SERVICE_CONTROL_POLICY"
_STOPS = {"APPLY_IAM_POLICY": "deny", "APPLY_SCP_POLICY": "deny", "RUN_SSM_DOCUMENTS": "pause"}
_PROJECT_FILTERS = frozenset({"CostCategory", "TagKeyValue"})
_POLICIES = {
    "aws_iam_group_policy": "policy",
    "aws_iam_policy": "policy",
    "aws_iam_role_policy": "policy",
    "aws_iam_user_policy": "policy",
    "aws_organizations_policy": "content",
}
_RATES = re.compile(r"per (?:second|minute|hour|day)|rate|requests|tokens|storage|bytes|\bsize\b", re.IGNORECASE)
_INDEX = re.compile(r"\[[^\]]*\]")
_ACCOUNT = re.compile(r"(arn:aws[\w\-]*:[^:]*:[^:]*:)\d{12}")
_FORMATS = frozenset({"0", "1"})


@dataclass(frozen=True, slots=True)
class _Resource:
    """One managed resource as planned or as applied."""

    address: str
    type: str
    name: str
    path: Path_
    values: dict[str, Any]
    unknown: dict[str, Any]
    sensitive: dict[str, Any]
    expressions: dict[str, Any]

    @property
    def module(self) -> str:
        """The address of the module it is in, with a dot behind it; empty for the root."""
        return self.address.rpartition(f"{self.type}.")[0]

    def where(self, *keys: str | int) -> str:
        """The pointer to one of its values."""
        return pointer((*self.path, "values", *keys) if keys else self.path)

    def text(self, key: str) -> str | None:
        """A value that is text and not marked as sensitive."""
        value = self.values.get(key)
        return value if isinstance(value, str) and value and not _any(self.sensitive.get(key)) else None

    def gap(self, key: str, facts: str, what: str) -> Gap:
        """A gap at one of its values; it says so when the value is only known after the plan was applied."""
        late = self.values.get(key) is None and _any(self.unknown.get(key))
        reason = f"{key} is known only after the plan is applied" if late else what
        return Gap("lossy", f"{self.address}: {reason}", facts, self.where(*((key,) if key in self.values else ())))


@dataclass(frozen=True, slots=True)
class _Infrastructure:
    """The resources of the file that count, by type."""

    by_type: dict[str, list[_Resource]]

    def referenced(self, by: _Resource, kind: str, *keys: str | int) -> _Resource | None:
        """The resource of a type that an expression of the configuration names, in the same module."""
        expression: Any = by.expressions
        for key in keys:
            if isinstance(key, int):  # a block stands in a list, for some providers alone
                expression = expression[key] if isinstance(expression, list) and key < len(expression) else expression
            else:
                expression = mapping_of(expression).get(key)
        names = [name for name in list_of(mapping_of(expression).get("references")) if isinstance(name, str)]
        wanted = {_INDEX.sub("", ".".join(name.split(".")[:2])) for name in names if name.startswith(f"{kind}.")}
        found = [
            resource
            for resource in self.by_type.get(kind, ())
            if resource.module == by.module and f"{kind}.{resource.name}" in wanted
        ]
        if len(found) > 1:  # several instances: the one with the same key
            own = by.address.rpartition(f"{by.type}.{by.name}")[2]
            found = [resource for resource in found if own and resource.address.endswith(own)]
        return found[0] if len(found) == 1 else None


def _any(value: object) -> bool:
    """Whether a mark of unknown or sensitive values is set anywhere in it."""
    if isinstance(value, dict):
        return any(_any(item) for item in value.values())
    if isinstance(value, list):
        return any(_any(item) for item in value)
    return value is True


def _sniff(artifact: Artifact) -> bool:
    head = artifact.head
    if not head.lstrip().startswith("{") or '"format_version"' not in head:
        return False
    if not artifact.mapping:  # cut short, or not JSON: the keys in its head say what it was
        return '"planned_values"' in head or '"terraform_version"' in head
    return any(key in artifact.mapping for key in ("terraform_version", "planned_values", "resource_changes"))


def _read(artifact: Artifact) -> Iterator[Item]:
    document = artifact.json
    if not isinstance(document, dict):
        raise Unreadable("is not the JSON of a plan or state", hint="write it with `terraform show -json`")
    version = document.get("format_version")
    if not isinstance(version, str) or version.split(".", 1)[0] not in _FORMATS:
        raise Unreadable("has a format version that is not supported", hint="format versions 0.x and 1.x are read")
    root = "planned_values" if "planned_values" in document else "values"
    day = day_of(document.get("timestamp"))
    if day is not None:
        yield Stated(collected=day)
    if document.get("errored") is True or document.get("complete") is False:
        yield Gap("lossy", "the plan is not complete: part of it could not be planned", None, "")
    infrastructure = _load(document, root)
    for read in _READERS:
        yield from read(infrastructure)


def _load(document: dict[str, Any], root: str) -> _Infrastructure:
    unknown: dict[str, dict[str, Any]] = {}
    gone: set[str] = set()
    for entry in list_of(document.get("resource_changes")):
        change = mapping_of(mapping_of(entry).get("change"))
        address = mapping_of(entry).get("address")
        actions = list_of(change.get("actions"))
        if not isinstance(address, str):
            continue
        unknown[address] = mapping_of(change.get("after_unknown"))
        if ("delete" in actions or "forget" in actions) and "create" not in actions:
            gone.add(address)
    expressions = _expressions(mapping_of(document.get("configuration")))
    by_type: dict[str, list[_Resource]] = defaultdict(list)
    for resource in _walk(document, root, unknown, expressions):
        if resource.address not in gone:
            by_type[resource.type].append(resource)
    return _Infrastructure(dict(by_type))


def _walk(
    document: dict[str, Any], root: str, unknown: dict[str, dict[str, Any]], expressions: dict[str, dict[str, Any]]
) -> Iterator[_Resource]:
    """Every managed resource of the root module and of the modules below it."""
    stack: list[tuple[Any, Path_]] = [(mapping_of(document.get(root)).get("root_module"), (root, "root_module"))]
    while stack:
        module, path = stack.pop()
        for index, entry in enumerate(list_of(mapping_of(module).get("resources"))):
            found = mapping_of(entry)
            address, kind, name = found.get("address"), found.get("type"), found.get("name")
            if not (isinstance(address, str) and isinstance(kind, str) and isinstance(name, str)):
                continue
            if found.get("mode", "managed") == "managed":
                yield _Resource(
                    address,
                    kind,
                    name,
                    (*path, "resources", index),
                    mapping_of(found.get("values")),
                    unknown.get(address, {}),
                    mapping_of(found.get("sensitive_values")),
                    expressions.get(_INDEX.sub("", address), {}),
                )
        children = list_of(mapping_of(module).get("child_modules"))
        stack.extend((child, (*path, "child_modules", index)) for index, child in reversed(list(enumerate(children))))


def _expressions(configuration: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The expressions of each resource of the configuration by address, without the keys of instances."""
    found: dict[str, dict[str, Any]] = {}
    stack: list[tuple[Any, str]] = [(configuration.get("root_module"), "")]
    while stack:
        module, prefix = stack.pop()
        for entry in list_of(mapping_of(module).get("resources")):
            address = mapping_of(entry).get("address")
            if isinstance(address, str):
                found[prefix + address] = mapping_of(entry.get("expressions"))
        for name, call in mapping_of(mapping_of(module).get("module_calls")).items():
            stack.append((mapping_of(call).get("module"), f"{prefix}module.{name}."))
    return found


def _first(value: object) -> dict[str, Any]:
    """A block: Terraform writes one as a list of one mapping, some providers as the mapping."""
    return mapping_of(value[0]) if isinstance(value, list) and value else mapping_of(value)


# ----------------------------------------------------------------------------------------------------------- budgets


def _budgets(infrastructure: _Infrastructure) -> Iterator[Item]:
    """The notifications of AWS budgets: they tell somebody, and stop nothing."""
    for budget in infrastructure.by_type.get("aws_budgets_budget", ()):
        for index, entry in enumerate(list_of(budget.values.get("notification"))):
            where = budget.where("notification", index)
            block = mapping_of(entry)
            unit = {"PERCENTAGE": "percent", "ABSOLUTE_VALUE": "usd"}.get(str(block.get("threshold_type")))
            threshold = amount(block.get("threshold"))
            if unit is None or threshold is None:
                yield Gap("lossy", f"{budget.address}: a notification has no threshold", "alerts.threshold", where)
                continue
            hidden = _any(budget.sensitive.get("notification"))
            late = list_of(budget.unknown.get("notification"))
            receivers = list(_receivers(block, mapping_of(late[index]) if index < len(late) else {}, hidden=hidden))
            for channel, recipient in receivers or [(None, None)]:
                yield _alert(where, threshold, unit, channel, recipient)
        if "notification" not in budget.values and _any(budget.unknown.get("notification")):
            yield budget.gap("notification", "alerts", "")


def _receivers(
    block: dict[str, Any], unknown: dict[str, Any], *, hidden: bool
) -> Iterator[tuple[str | None, str | None]]:
    for key, channel in (("subscriber_email_addresses", "email"), ("subscriber_sns_topic_arns", "sns")):
        texts = [item for item in list_of(block.get(key)) if isinstance(item, str) and item]
        for text in texts:
            yield channel, None if hidden else text.rsplit(":", 1)[-1]
        if not texts and _any(unknown.get(key)):
            yield channel, None


def _alert(where: str, threshold: Decimal, unit: str, channel: str | None, recipient: str | None) -> Fact:
    values: dict[str, Any] = {
        "trigger": "spend",
        "threshold": threshold,
        "unit": unit,
        "channel": channel,
        "recipient": recipient,
    }
    return Fact("alerts", where, values)


def _actions(infrastructure: _Infrastructure) -> Iterator[Item]:
    """Budget actions: the only part of an AWS budget that stops anything."""
    for action in infrastructure.by_type.get("aws_budgets_budget_action", ()):
        approval, kind = action.text("approval_model"), action.text("notification_type")
        breach = _STOPS.get(str(action.values.get("action_type")))
        if approval not in {"AUTOMATIC", "MANUAL"} or kind not in {"ACTUAL", "FORECASTED"} or breach is None:
            yield Gap("lossy", f"{action.address}: what it does, and when, is not known", "limits", action.where())
            continue
        budget = _budget_of(infrastructure, action)
        if budget is None:
            yield action.gap("budget_name", "limits", "the budget it belongs to is not in this file")
            continue
        problem, usd = _action_amount(action, budget)
        scope = _budget_scope(budget)
        if problem or usd is None or scope is None:
            yield Gap("lossy", problem or f"{budget.address}: counts only part of the cost", "limits", action.where())
        elif kind == "FORECASTED":
            yield _alert(action.where(), usd, "usd", None, None)
        elif approval == "MANUAL":
            values: dict[str, Any] = {
                "trigger": "spend",
                "threshold": usd,
                "unit": "usd",
                "effect": "notify",
                "via": VIA,
            }
            values |= {"on_timeout": "continue", "layer": "infrastructure"}
            yield Fact("gates", action.where(), values)
        else:
            yield _action_limit(action, budget, usd, scope, breach)


def _action_limit(action: _Resource, budget: _Resource, usd: Decimal, scope: str, breach: str) -> Item:
    unit = budget.text("time_unit")
    if unit is None or unit not in _PERIODS:
        return budget.gap("time_unit", "limits", "the period of the budget is not known")
    values: dict[str, Any] = {
        "resource": "usd",
        "amount": usd,
        "scope": scope,
        "via": VIA,
        "per_seconds": _PERIODS[unit],
        "aligned": unit == "DAILY",
        "on_breach": breach,
        "layer": "infrastructure",
        "lag_seconds": BUDGET_LAG_SECONDS,
    }
    return Fact("limits", action.where(), values)


def _budget_of(infrastructure: _Infrastructure, action: _Resource) -> _Resource | None:
    """The budget of an action: by its name, or by the reference in the configuration when the name is not known yet."""
    name = action.text("budget_name")
    kind = "aws_budgets_budget"
    named = [found for found in infrastructure.by_type.get(kind, ()) if name and found.text("name") == name]
    return named[0] if len(named) == 1 else infrastructure.referenced(action, kind, "budget_name")


def _action_amount(action: _Resource, budget: _Resource) -> tuple[str, Decimal | None]:
    """Why the sum in USD at which an action starts is not known, or the sum."""
    if budget.values.get("budget_type") != "COST" or budget.values.get("limit_unit") != "USD":
        return f"{budget.address}: is not a budget of cost in USD", None
    block = _first(action.values.get("action_threshold"))
    threshold = amount(block.get("action_threshold_value"))
    kind = str(block.get("action_threshold_type"))
    if threshold is None or threshold <= 0 or kind not in {"PERCENTAGE", "ABSOLUTE_VALUE"}:
        return f"{action.address}: action_threshold is not a number above 0", None
    if kind == "ABSOLUTE_VALUE":
        return "", threshold
    if list_of(budget.values.get("auto_adjust_data")) or list_of(budget.values.get("planned_limit")):
        return f"{budget.address}: its amount changes with time", None
    limit = amount(budget.values.get("limit_amount"))
    if limit is None or limit <= 0:
        late = budget.values.get("limit_amount") is None and _any(budget.unknown.get("limit_amount"))
        why = "known only after the plan is applied" if late else "not a number above 0"
        return f"{budget.address}: limit_amount is {why}", None
    usd = amount(limit * threshold / 100)
    return ("", usd) if usd else (f"{action.address}: the sum at which it starts is out of range", None)


def _budget_scope(budget: _Resource) -> str | None:
    """Account for a budget of all cost, project for one by tag or category, None for one that sees part of the cost."""
    filters = [mapping_of(entry).get("name") for entry in list_of(budget.values.get("cost_filter"))]
    filters += list(mapping_of(budget.values.get("cost_filters")))
    if any(budget.values.get(key) not in (None, [], "") for key in ("filter_expression", "billing_view_arn")):
        return None
    if not filters or filters == ["LinkedAccount"]:
        return "account"
    return "project" if all(str(name) in _PROJECT_FILTERS for name in filters) else None


def _other_clouds(infrastructure: _Infrastructure) -> Iterator[Item]:
    """Budgets of Google and Azure: alerts only, whatever listens to them."""
    for budget in infrastructure.by_type.get("google_billing_budget", ()):
        rule = _first(budget.values.get("all_updates_rule"))
        topic = rule.get("pubsub_topic")
        channel = "pubsub" if isinstance(topic, str) and topic else "email"
        for index, entry in enumerate(list_of(budget.values.get("threshold_rules"))):
            share = amount(mapping_of(entry).get("threshold_percent"))
            percent = None if share is None else amount(share * 100)
            where = budget.where("threshold_rules", index)
            if percent is None:
                yield Gap("lossy", f"{budget.address}: a threshold is not a number", "alerts.threshold", where)
            else:
                yield _alert(where, percent, "percent", channel, None)
    for kind in sorted(kind for kind in infrastructure.by_type if kind.startswith("azurerm_consumption_budget_")):
        for budget in infrastructure.by_type[kind]:
            yield from _azure(budget)


def _azure(budget: _Resource) -> Iterator[Item]:
    hidden = _any(budget.sensitive.get("notification"))
    for index, entry in enumerate(list_of(budget.values.get("notification"))):
        block, where = mapping_of(entry), budget.where("notification", index)
        if block.get("enabled") is False:
            continue
        percent = amount(block.get("threshold"))
        if percent is None:
            yield Gap("lossy", f"{budget.address}: a threshold is not a number", "alerts.threshold", where)
            continue
        emails = [item for item in list_of(block.get("contact_emails")) if isinstance(item, str) and item]
        for email in emails:
            yield _alert(where, percent, "percent", "email", None if hidden else email)
        groups = [item for item in list_of(block.get("contact_groups")) if isinstance(item, str) and item]
        for group in groups:
            yield _alert(where, percent, "percent", "action group", group.rsplit("/", 1)[-1])
        if not emails and not groups:
            yield _alert(where, percent, "percent", None, None)


def _quotas(infrastructure: _Infrastructure) -> Iterator[Item]:
    """Service quotas, as counts of what may exist; those of rates and sizes are not told apart well enough to count."""
    for quota in infrastructure.by_type.get("aws_servicequotas_service_quota", ()):
        count, service, name = amount(quota.values.get("value")), quota.text("service_code"), quota.text("quota_name")
        if count is None or count < 0 or service is None:
            yield quota.gap("value", "limits", "the quota has no number")
        elif name is not None and _RATES.search(name):
            yield quota.gap("quota_name", "limits", "the quota is not a count of instances")
        else:
            values: dict[str, Any] = {
                "resource": "instances",
                "amount": count,
                "scope": "account",
                "pattern": f"{service}:*",
            }
            values |= {"via": VIA, "on_breach": "deny", "layer": "infrastructure", "lag_seconds": 0}
            yield Fact("limits", quota.where(), values)


# ---------------------------------------------------------------------------------------------------------- policies


def _policies(infrastructure: _Infrastructure) -> Iterator[Item]:
    """What the policy documents of the file allow and refuse."""
    applied = _applied_on_breach(infrastructure)
    for kind, key in _POLICIES.items():
        for resource in infrastructure.by_type.get(kind, ()):
            if resource.address in applied:
                continue
            if kind == "aws_organizations_policy" and resource.values.get("type", _SCP) != _SCP:
                continue
            yield from _document(resource, (key,), resource.values.get(key))
    for role in infrastructure.by_type.get("aws_iam_role", ()):
        for index, entry in enumerate(list_of(role.values.get("inline_policy"))):
            if mapping_of(entry).get("policy"):
                yield from _document(role, ("inline_policy", index, "policy"), mapping_of(entry).get("policy"))
        yield from _boundary_of(infrastructure, role)


def _applied_on_breach(infrastructure: _Infrastructure) -> frozenset[str]:
    """The addresses of policies that a budget action applies: they bind nobody before."""
    found: set[str] = set()
    for action in infrastructure.by_type.get("aws_budgets_budget_action", ()):
        definition = _first(action.values.get("definition"))
        for block, key, kind in (
            ("iam_action_definition", "policy_arn", "aws_iam_policy"),
            ("scp_action_definition", "policy_id", "aws_organizations_policy"),
        ):
            known = _first(definition.get(block)).get(key)
            policy = infrastructure.referenced(action, kind, "definition", 0, block, 0, key) or _by_id(
                infrastructure, kind, known
            )
            if policy is not None:
                found.add(policy.address)
    return frozenset(found)


def _by_id(infrastructure: _Infrastructure, kind: str, wanted: object) -> _Resource | None:
    """The policy with that ARN or id; before it exists, the IAM policy with the name that the ARN ends in."""
    if not isinstance(wanted, str) or not wanted:
        return None
    for policy in infrastructure.by_type.get(kind, ()):
        if wanted in (policy.values.get("arn"), policy.values.get("id")):
            return policy
        tail = f"{policy.values.get('path') or '/'}{policy.text('name')}"
        if kind == "aws_iam_policy" and policy.text("name") and wanted.endswith(f":policy{tail}"):
            return policy
    return None


def _boundary_of(infrastructure: _Infrastructure, role: _Resource) -> Iterator[Item]:
    """A permissions boundary refuses what it does not allow, and its document says what that is."""
    wanted = role.values.get("permissions_boundary")
    if not wanted and not _any(role.unknown.get("permissions_boundary")):
        return
    kind = "aws_iam_policy"
    policy = infrastructure.referenced(role, kind, "permissions_boundary") or _by_id(infrastructure, kind, wanted)
    if policy is None or not isinstance(policy.values.get("policy"), str):
        what = "the document of its permissions boundary is not in this file"
        yield Gap("not_supplied", f"{role.address}: {what}", "boundaries", role.where())
        return
    where = role.where(*(("permissions_boundary",) if wanted else ()))
    yield _boundary(where, "tool", "deny", None, is_default=True)


def _boundary(where: str, dimension: str, effect: str, pattern: str | None, *, is_default: bool = False) -> Fact:
    values: dict[str, Any] = {"dimension": dimension, "effect": effect, "pattern": pattern, "is_default": is_default}
    return Fact("boundaries", where, values | {"via": VIA, "layer": "infrastructure"})


def _document(resource: _Resource, path: Path_, text: object) -> Iterator[Item]:
    where = resource.where(*path)
    if not isinstance(text, str):
        yield resource.gap(str(path[0]), "boundaries", "the policy document is not text")
        return
    try:
        document = parse_json(text)
    except Unreadable:
        yield Gap("lossy", f"{resource.address}: the policy document is not JSON", "boundaries", where)
        return
    statements = mapping_of(document).get("Statement")
    for entry in statements if isinstance(statements, list) else [statements]:
        yield from _statement(resource, where, entry)


def _statement(resource: _Resource, where: str, entry: object) -> Iterator[Item]:
    """One statement: an allowance is at least as wide as it says, a refusal must not be taken for a wider one."""
    statement = mapping_of(entry)
    effect = {"Allow": "allow", "Deny": "deny"}.get(str(statement.get("Effect")))
    actions, resources = _texts(statement.get("Action")), _texts(statement.get("Resource"))
    if effect is None or "NotAction" in statement or "NotResource" in statement or not (actions and resources):
        if effect == "allow" and ("NotAction" in statement or "NotResource" in statement):
            yield _boundary(where, "tool", "allow", "*")
        what = "a statement names what it leaves out, or no actions and resources"
        yield Gap("lossy", f"{resource.address}: {what}", "boundaries", where)
        return
    if statement.get("Condition"):
        yield Gap("lossy", f"{resource.address}: a statement holds under conditions only", "boundaries", where)
        if effect == "deny":
            return
    if effect == "deny" and "*" not in actions and "*" not in resources:
        what = "a statement refuses some actions on some resources only"
        yield Gap("lossy", f"{resource.address}: {what}", "boundaries", where)
        return
    if effect == "allow" or "*" in resources:
        yield from (_boundary(where, "tool", effect, action) for action in actions)
    if effect == "allow" or "*" in actions:
        yield from (_boundary(where, "target", effect, _ACCOUNT.sub(r"\1*", name)) for name in resources)


def _texts(value: object) -> list[str]:
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str) and item]


# -------------------------------------------------------------------------------------------------- credentials, logs


def _keys(infrastructure: _Infrastructure) -> Iterator[Item]:
    """Access keys that do not expire; whose they are is not told by a user's name."""
    for key in infrastructure.by_type.get("aws_iam_access_key", ()):
        if key.values.get("status") == "Inactive":
            continue
        values: dict[str, Any] = {
            "subject": key.address,
            "issued_ms": midnight(key.values.get("create_date")),
            "via": VIA,
        }
        yield Fact("credentials", key.where(), values)


def _logs(infrastructure: _Infrastructure) -> Iterator[Item]:
    """Trails, with the lock of the bucket they go to, and locked buckets, of which it is not known what they record."""
    locks = infrastructure.by_type.get("aws_s3_bucket_object_lock_configuration", [])
    for trail in infrastructure.by_type.get("aws_cloudtrail", ()):
        if trail.values.get("enable_logging") is False:
            continue
        lock = next((lock for lock in locks if _same_bucket(infrastructure, trail, lock)), None)
        values: dict[str, Any] = {
            "sink": f"cloudtrail {trail.text('name') or trail.address}",
            "via": VIA,
            "hash_chained": trail.values.get("enable_log_file_validation") is True,
            "off_host": True,
        }
        yield Fact("logs", trail.where(), values | (_lock(lock) if lock else {}))
    for lock in locks:
        sink: dict[str, Any] = {"sink": f"s3 {lock.text('bucket') or lock.address}", "off_host": True}
        yield Fact("logs", lock.where(), sink | _lock(lock))


def _same_bucket(infrastructure: _Infrastructure, trail: _Resource, lock: _Resource) -> bool:
    name = trail.text("s3_bucket_name")
    if name is not None and lock.text("bucket") is not None:
        return name == lock.text("bucket")
    kind = "aws_s3_bucket"
    bucket = infrastructure.referenced(trail, kind, "s3_bucket_name")
    return bucket is not None and bucket is infrastructure.referenced(lock, kind, "bucket")


def _lock(lock: _Resource) -> dict[str, Any]:
    retention = _first(_first(lock.values.get("rule")).get("default_retention"))
    days, years = whole(retention.get("days")), whole(retention.get("years"))
    kept = days or (years or 0) * 365
    values: dict[str, Any] = {"append_only": retention.get("mode") == "COMPLIANCE" and kept > 0}
    return values | ({"retention_days": kept} if 0 < kept < 10**6 else {})


_READERS: Sequence[Callable[[_Infrastructure], Iterator[Item]]] = (
    _budgets,
    _actions,
    _other_clouds,
    _quotas,
    _policies,
    _keys,
    _logs,
)

FORMAT = EvidenceFormat(
    name="terraform-plan",
    title="Terraform plan or state",
    suffixes=(".json",),
    tables=("limits", "gates", "alerts", "boundaries", "credentials", "logs"),
    speaks_to=("present",),
    cannot=(
        "A plan is what is meant to be, not what was applied; a state is what was applied, not what runs now.",
        "It does not show that nothing outside Terraform changed the account since.",
        "It does not show which policies, boundaries and budget actions bind the role that the agent uses.",
        "It does not show that the policy or document which a budget action applies stops all that the agent pays for.",
        "What AWS refuses by default to a role without any allowance is not counted; only a permissions boundary is.",
        "It does not show that anybody reads the alerts, or that a subscription to a topic was confirmed.",
        "It does not show that log entries arrive, or who can change the settings of trail and bucket.",
    ),
    sniff=_sniff,
    read=_read,
)
