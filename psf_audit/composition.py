"""What a deployment is made of, in the words of its manifest and configuration: what its fingerprint is of.

The digest alone says that something changed; two of these values side by side say what.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Row = dict[str, str]

MAX_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class Composition:
    """Models, prompts, purpose, scope, guardrails and configuration; every value is text, decimals without zeros.

    `prompts` maps paths to SHA-256. `rows` are facts of the evidence tables, each with its `table` and `basis`;
    `row_count` is how many there are where not all are kept.
    """

    models: tuple[Row, ...] = ()
    prompts: Row = field(default_factory=dict)
    objective: str | None = None
    completion: Row = field(default_factory=dict)
    targets: tuple[str, ...] = ()
    scope: Row = field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    row_count: int = 0

    @property
    def complete(self) -> bool:
        """Whether all rows are kept."""
        return self.row_count == len(self.rows)


def composed(agent: Mapping[str, Any], prompts: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> Composition:
    """The composition of what a manifest says of its agent, the digests of its prompts, and rows of facts."""
    found = sorted({tuple(sorted(_texts(row).items())) for row in rows})
    scope = agent.get("scope", {})
    return Composition(
        models=tuple(sorted((_texts(model) for model in agent.get("models", [])), key=lambda row: sorted(row.items()))),
        prompts=dict(sorted(prompts.items())),
        objective=agent.get("objective"),
        completion=_texts(agent.get("completion", {})),
        targets=tuple(sorted(scope.get("targets", []))),
        scope=_texts({key: value for key, value in scope.items() if key != "targets"}),
        rows=tuple(dict(row) for row in found[:MAX_ROWS]),
        row_count=len(found),
    )


def _texts(values: Mapping[str, Any]) -> Row:
    return {key: _text(value) for key, value in sorted(values.items()) if value is not None}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, dict):
        return ", ".join(f"{key} {text}" for key, text in _texts(value).items())
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    return str(value)
