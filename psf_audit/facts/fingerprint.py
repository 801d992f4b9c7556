"""The fingerprint of a deployment: another one is another deployment, and the old assessment is void for it."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from psf_audit import canonical
from psf_audit.composition import Composition, composed
from psf_audit.facts.model import Fact
from psf_audit.facts.store import typed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# What may change without making it another deployment: when a credential was issued, and until when it holds.
_LEFT_OUT = frozenset({"issued_ms", "expires_ms"})
# What follows from `pattern`, and would say it again.
_DERIVED = frozenset({"like", "lo", "hi"})
_CONFIGURED = frozenset({"capabilities", "limits", "gates", "boundaries", "alerts", "logs", "credentials"})


def fingerprint(agent: Mapping[str, Any], prompts: Mapping[str, str], facts: Iterable[Fact]) -> str:
    """SHA-256 over the canonical form of models, prompts, capabilities, scope, guardrails and configuration.

    `prompts` maps paths to digests; `facts` are the claims and the configuration of this release. Order, comments and
    layout of the files do not matter: facts are compared, not bytes.
    """
    rows = sorted({_canonical_row(fact) for fact in facts if fact.table in _CONFIGURED})
    value = {
        "models": sorted(canonical.dumps(_plain(model)).decode() for model in agent.get("models", [])),
        "prompts": dict(prompts),
        "objective": agent.get("objective"),
        "completion": _plain(agent.get("completion", {})),
        "scope": _plain(agent.get("scope", {})),
        "facts": rows,
    }
    return hashlib.sha256(canonical.dumps(value)).hexdigest()


def composition(agent: Mapping[str, Any], prompts: Mapping[str, str], facts: Iterable[Fact]) -> Composition:
    """What the fingerprint of the same arguments is of."""
    rows = [_row(fact) for fact in facts if fact.table in _CONFIGURED]
    return composed(agent, prompts, [{key: row[key] for key in row.keys() - _DERIVED} for row in rows])


def _canonical_row(fact: Fact) -> str:
    return canonical.dumps({key: _plain(value) for key, value in _row(fact).items()}).decode()


def _row(fact: Fact) -> dict[str, Any]:
    values = typed(fact.table, fact.values)
    kept = {key: value for key, value in values.items() if value is not None and key not in _LEFT_OUT}
    return {"table": fact.table, "basis": fact.basis, **kept}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value
