"""The guardrails of a deployment, from the rows that it claims or configures, and why some cannot be tried on a log."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from psf_audit.replay.guardrails import BEFORE_CALLS, METERED, STOPPING, Guardrail

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_REPLAYED = METERED | {"seconds", "repeats", "retries", "depth", "fanout", "instances"}
# What a target can be held against.
_OF_TARGETS = frozenset({"target", "network", "path"})
_BOUNDED = _OF_TARGETS | {"tool"}
_OUTER = frozenset({"infrastructure", "gateway", "harness"})
_CEILINGS = frozenset({"session", "run", "account", "project", "agent", "key"})
_SHARES = {
    "spend": "a ceiling, and no configuration enforces one: give the sum, as in --gate 50usd",
    "size": "the expected size, and the manifest expects none",
}
# Of what these gates wait for, a log has no event.
_UNSEEN = {
    "pre_task": "a log has the calls of a task, and not whether anybody agreed to its plan before",
    "ambiguity": "no event shows when an instruction was unclear",
    "mismatch": "no event shows when what was found was not what was expected",
    "done": "a person is asked when the work is over, and nothing is left to stop",
    "failed": "a person is asked when the work is over, and nothing is left to stop",
    "give_up": "a person is asked when the work is over, and nothing is left to stop",
    "manual": "no event shows when a person would have used it",
    "change": "it stops a change of the deployment, and no run",
    "go_live": "it stops a release, and no run",
}
_TOLD = frozenset(
    {
        *("resource", "amount", "scope", "like", "via", "per_seconds", "aligned", "lag_seconds"),
        *("trigger", "threshold", "unit", "dimension", "effect", "lo", "hi", "is_default"),
    }
)


def of_tables(
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    places: Mapping[int, tuple[str, str]],
    expected: int | None = None,
) -> Found:
    """The guardrails that a deployment claims or configures, and those that a log cannot say anything about.

    As in the views: a prompt enforces nothing, and what speaks of another release does not count. A claim that
    configuration repeats is not tried twice. `expected` is how many targets the deployment expects.
    """
    tried: dict[tuple[Any, ...], Guardrail] = {}
    left: list[str] = []
    known = _Known(tables, expected)
    for table in ("limits", "gates", "boundaries"):
        for rows in _grouped(table, tables[table]):
            source, pointer = places.get(rows[0]["ref"], ("", ""))
            guardrail = known.settled(Guardrail(table, rows, f"{source} {pointer}".strip()))
            why = _unplayable(guardrail)
            if why is not None:
                left.append(f"{guardrail.words}: {why}")
            else:
                key = (table, tuple(tuple(sorted(_told(row).items(), key=repr)) for row in guardrail.rows))
                tried.setdefault(key, guardrail)
    return Found(tuple(tried.values()), tuple(sorted(set(left))))


class _Known:
    """What gates need that stands elsewhere: a ceiling, a size, what creates, and the lists of targets."""

    def __init__(self, tables: Mapping[str, Sequence[Mapping[str, Any]]], expected: int | None) -> None:
        # The same ceiling as in the view `money_gates`.
        self._ceiling = min(
            (
                row["amount"]
                for row in tables["limits"]
                if row["basis"] == "config" and row["bound"] and _is_ceiling(row)
            ),
            default=None,
        )
        self._expected = expected
        self._creating = frozenset(row["name"] for row in tables["capabilities"] if row["effect"] == "create")
        self._lists = tuple(
            rows for rows in _grouped("boundaries", tables["boundaries"]) if rows[0]["dimension"] in _OF_TARGETS
        )

    def settled(self, guardrail: Guardrail) -> Guardrail:
        """A gate with what it needs to know; one for which it is not known stays as it is."""
        row = guardrail.row
        if guardrail.table != "gates":
            return guardrail
        of = {"spend": self._ceiling, "size": self._expected}.get(guardrail.measure)
        if row["unit"] == "percent" and guardrail.amount is not None and of is not None:
            sum_ = guardrail.amount * of * Decimal("0.01")
            unit = "usd" if guardrail.measure == "spend" else "targets"
            return replace(guardrail, rows=({**row, "threshold": sum_, "unit": unit},))
        if guardrail.measure == "new_resource" and row["like"] is None:
            return replace(guardrail, names=self._creating)
        return replace(guardrail, lists=self._lists) if guardrail.measure == "scope" else guardrail


@dataclass(frozen=True, slots=True)
class Found:
    """Guardrails to try, and those that cannot be tried, each with the reason."""

    tried: tuple[Guardrail, ...]
    left: tuple[str, ...]


def _unplayable_approval(guardrail: Guardrail) -> str | None:
    if guardrail.measure == "scope" and not guardrail.lists:
        return "no list says which targets are in scope"
    creates_nothing = guardrail.names is not None and not guardrail.names
    return "no capability is said to create anything" if creates_nothing else None


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name in _TOLD and value is not None}


def _grouped(table: str, rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], ...]]:
    """Each limit and gate alone, the rows of a list together; configuration before claims."""
    counting = [
        row for row in rows if row["bound"] and row["basis"] in {"config", "claim"} and row["layer"] != "prompt"
    ]
    counting.sort(key=lambda row: row["basis"] != "config")
    if table != "boundaries":
        yield from ((row,) for row in counting)
        return
    lists: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in counting:
        lists.setdefault((row["basis"], row["dimension"], row["via"]), []).append(row)
    yield from (tuple(found) for found in lists.values())


def _is_ceiling(row: Mapping[str, Any]) -> bool:
    enforced = row["layer"] in _OUTER and row["on_breach"] in STOPPING
    return enforced and row["resource"] == "usd" and row["amount"] is not None and row["scope"] in _CEILINGS


def _unplayable(guardrail: Guardrail) -> str | None:
    """Why a log cannot say what a guardrail would have done; None when it can."""
    if guardrail.table == "boundaries":
        return None if guardrail.row["dimension"] in _BOUNDED else "a log of calls does not show it"
    if guardrail.table == "gates":
        return _unplayable_gate(guardrail)
    if guardrail.measure not in _REPLAYED:
        return "a log of calls does not show it"
    if guardrail.amount is None:
        return "has no amount"
    windowed = guardrail.row.get("per_seconds") is not None and guardrail.measure not in METERED
    return "is counted in a window, which is only tried for usd, tokens, requests and actions" if windowed else None


def _unplayable_gate(guardrail: Guardrail) -> str | None:
    measure, unit = guardrail.measure, guardrail.row.get("unit")
    if measure in BEFORE_CALLS | {"stop_request"}:
        return _unplayable_approval(guardrail)
    fitting = {"interval": {"seconds", "actions"}, "spend": {"usd"}, "size": {"targets"}}.get(measure)
    if fitting is None:
        return _UNSEEN[measure]
    if guardrail.amount is None:
        return "has no threshold"
    if unit == "percent" and measure in _SHARES:
        return f"is a share of {_SHARES[measure]}"
    return None if unit in fitting else f"is not in {' or '.join(sorted(fitting)).replace('targets', 'percent')}"
