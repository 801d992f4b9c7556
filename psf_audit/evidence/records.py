"""The native records: dated decisions, reviews, incidents and drills, written by hand or exported.

A record without a date, of an unknown kind or that is no mapping is left out, a value that its column cannot hold is
dropped; each is a gap of its own. `drill` and `test` go to the tests, not to the records. `credential`, `log_sink` and
`alert_rule` are records and say something of a credential, a log or an alert as well: their `fields` are the keys of
those rows, their `subject` is the name.

In `fields` of the table, `true` is the key alone, a list is the key with each of its items (`covers=alerts,
covers=budgets`), and what is false or null is left out, so that looking for a word never finds its denial.
`events` counts as a field: how many events the record names.

`spot_check` is a record: somebody looked at one row of an assessment by hand. Its decision goes to the tests as well,
as a review: refuted is a failure of each control that it names, which only a later `confirmed` of the same subject
takes back. Confirmed is no test that the control works, and never counts as one. Where what was looked at spoke against
the control (`part: breaks` or `part: absent` among its fields), it is a record alone.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from psf_audit.artifact import Artifact, EvidenceFormat
from psf_audit.errors import Unreadable
from psf_audit.facts.model import SPOT_CHECK, Fact, Gap, Item
from psf_audit.facts.rows import nearest, row_facts, row_problems
from psf_audit.facts.tables import TABLES
from psf_audit.values import amount, day_of, midnight

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psf_audit.reading import Path_

_SCHEMA = "psf-audit/records/1"
_RECORDS = (
    "sign_off", "estimate", "review", "incident", "reconciliation", "register", "handoff", "certificate", "assessment",
    "edge_case", "design_review", "first_commit", "schedule", "bill", "credential", "log_sink", "alert_rule",
    "spot_check",
)  # fmt: skip
_TESTS = {"drill": "drill", "test": "functional"}
KINDS = (*_RECORDS, *_TESTS)
_ALSO = {"credential": ("credentials", "name"), "log_sink": ("logs", "sink"), "alert_rule": ("alerts", None)}
_DAY_MS = 86_400_000
_DATE_LENGTH = len("2026-11-20")
_VERDICTS = ("failed", "worked")
_LOOKED = ("confirmed", "refuted", "could_not_tell")
_AGAINST = ("part=breaks", "part=absent")

# Keys of a record that are text columns, by the column; and the others.
_TEXTS = {
    "by": "person", "role": "role", "org": "org", "subject": "subject", "decision": "decision", "reason": "reason",
    "run": "run", "fingerprint": "fingerprint", "release": "release",
}  # fmt: skip
_TEST_KEYS = ("how", "outcome", "adversarial", "environment")
_KEYS = ("kind", "at", "controls", "amount_usd", "from", "to", "events", "fields", *_TEXTS, *_TEST_KEYS)


def _sniff(artifact: Artifact) -> bool:
    return artifact.schema.startswith("psf-audit/records/")


def _read(artifact: Artifact) -> Iterator[Item]:
    document = artifact.document.value
    if not isinstance(document, dict) or not isinstance(document.get("records"), list):
        raise Unreadable("has no list `records`", hint=f"write `schema: {_SCHEMA}` and `records:`")
    if document.get("schema") != _SCHEMA:
        raise Unreadable(f"is not written in {_SCHEMA}", hint=f"this version reads `schema: {_SCHEMA}`")
    for key in document:
        if key not in {"schema", "records"}:
            what = f"`{key}` is not a key of a records file{nearest(key, ('schema', 'records'))}"
            yield Gap("lossy", what, "records", artifact.place((key,)))
    for index, record in enumerate(document["records"]):
        yield from _Record(artifact, index, record).items()


class _Record:
    """One record of a file on its way to facts."""

    def __init__(self, artifact: Artifact, index: int, record: Any) -> None:
        self.artifact = artifact
        self.index = index
        self.record = record
        self.gaps: list[Gap] = []
        self.table = "records"

    def items(self) -> Iterator[Item]:
        """The facts of the record, then what in it could not be used."""
        yield from self._facts()
        yield from self.gaps

    def _facts(self) -> Iterator[Fact]:
        record = self.record
        if not isinstance(record, dict):
            self._lose("a record that is not a mapping")
            return
        kind = record.get("kind")
        if not isinstance(kind, str) or kind not in KINDS:
            suggestion = nearest(kind, KINDS) if isinstance(kind, str) else f"; one of {', '.join(KINDS)} is needed"
            self._lose(f"record of unknown kind{suggestion}", "kind")
            return
        self.table = "tests" if kind in _TESTS else "records"
        at_ms, day = midnight(record.get("at")), day_of(record.get("at"))
        if at_ms is None or day is None:
            self._lose(
                "record without a date: `at` must be a date or a time with zone, in the years 2000 to 2100", "at"
            )
            return
        self._lose_unknown_keys(record)
        texts = {column: self._text(key) for key, column in _TEXTS.items()}
        release = texts.pop("release")
        values = {"at_ms": at_ms, **texts}
        make = self._test if kind in _TESTS else self._record
        made = list(make(kind, values))
        for own in made:
            yield Fact(self.table, self._place(), own, "record", day, release)
        if kind == "spot_check":
            for own in self._reviews(made):
                yield Fact("tests", self._place(), own, "record", day, release)
        if kind in _ALSO:
            for own in self._also(kind, texts["subject"]):
                yield Fact(_ALSO[kind][0], self._place("fields"), own, "record", day, release)

    def _lose_unknown_keys(self, record: dict[str, Any]) -> None:
        for key in record:
            if key not in _KEYS:
                self._lose(f"`{key}` is not a key of a record{nearest(key, _KEYS)}", key)

    def _record(self, kind: str, values: dict[str, Any]) -> Iterator[dict[str, Any]]:
        values |= {
            "kind": kind,
            "from_ms": self._moment("from"),
            "to_ms": self._moment("to"),
            "amount_usd": self._amount(),
            "fields": self._fields(),
        }
        if kind == "spot_check":
            values["decision"] = self._looked(values)
        for control, verdict in self._controls(incident=kind == "incident"):
            decision = verdict or values["decision"]
            if kind == "incident" and decision not in _VERDICTS:
                self._lose("an incident must say whether the control `failed` or `worked`", "decision")
                decision = None
            yield {**values, "control": control, "decision": decision}

    def _test(self, kind: str, values: dict[str, Any]) -> Iterator[dict[str, Any]]:
        adversarial = self.record.get("adversarial")
        if adversarial is not None and not isinstance(adversarial, bool):
            self._lose("`adversarial` must be true or false", "adversarial")
            adversarial = None
        test = {
            "suite": "records",
            "name": values["subject"] or f"{kind} {self.index + 1}",
            "how": self._choice("how") or _TESTS[kind],
            # A drill that does not say how it ended did not show anything.
            "outcome": self._choice("outcome") or "inconclusive",
            "adversarial": adversarial,
            "environment": self._text("environment"),
            "link": "artifact",
            **{column: values[column] for column in ("at_ms", "person", "org", "run")},
        }
        for control, _ in self._controls(incident=False):
            yield {**test, "control": control}

    def _looked(self, values: dict[str, Any]) -> str | None:
        """How a spot check ended; nobody in particular can refute, and cannot confirm."""
        decision: str | None = values["decision"]
        if decision not in _LOOKED:
            self._lose(f"a spot check must say one of {', '.join(_LOOKED)}", "decision")
            return None
        if decision == "confirmed" and values["person"] is None:
            self._lose("a spot check that confirms must say who looked", "by")
            return None
        return decision

    def _reviews(self, made: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """What a spot check says of each control that it names, as the result of a test; `made` are its records."""
        outcome = {"confirmed": "passed", "refuted": "failed"}.get(made[0]["decision"] or "")
        if outcome is None or set(_AGAINST) & set((made[0]["fields"] or "").split(", ")):
            return
        if outcome == "failed" and made[0]["control"] is None:
            self.gaps.append(Gap("lossy", "a spot check that refutes names no control", "tests", self._place()))
        for record in made:
            if record["control"] is not None:
                yield {
                    "suite": SPOT_CHECK,
                    "name": f"{SPOT_CHECK} of {record['subject'] or f'record {self.index + 1}'}",
                    "how": "review",
                    "outcome": outcome,
                    "adversarial": False,
                    "link": "artifact",
                    **{column: record[column] for column in ("at_ms", "person", "org", "control")},
                }

    def _also(self, kind: str, subject: str | None) -> Iterator[dict[str, Any]]:
        """What a record of a credential, log sink or alert rule says of it, as values of that table."""
        table, name = _ALSO[kind]
        fields = self.record.get("fields", {})
        row = {**fields} if isinstance(fields, dict) else fields
        if isinstance(row, dict) and name is not None and subject is not None:
            row.setdefault(name, subject)
        problems = list(row_problems(table, row))
        for key, message in problems:
            what = f"{kind}: `{key}` {message}" if key else f"{kind}: {message}"
            self.gaps.append(Gap("lossy", what, table, self._place("fields", *([key] if key else []))))
        if not problems:
            yield from row_facts(table, row)

    def _controls(self, *, incident: bool) -> list[tuple[str | None, str | None]]:
        """Each control that the record names, with what it says of it; one None where it names none."""
        given = self.record.get("controls")
        if incident and isinstance(given, dict):
            named = [(control, verdict if isinstance(verdict, str) else "") for control, verdict in given.items()]
            return [(control, verdict) for control, verdict in named] or [(None, None)]
        given = [given] if isinstance(given, str) else given
        if given is not None and not (
            isinstance(given, list) and all(isinstance(item, str) and item for item in given)
        ):
            self._lose("`controls` must be a list of control ids", "controls")
            given = None
        return [(control, None) for control in dict.fromkeys(given or [])] or [(None, None)]

    def _text(self, key: str) -> str | None:
        value = self.record.get(key)
        if value is not None and not isinstance(value, str):
            self._lose(f"`{key}` must be text", key)
            return None
        # The word says that nobody is known.
        return None if key == "by" and value and value.casefold() == "unknown" else value or None

    def _choice(self, key: str) -> str | None:
        choices = TABLES["tests"].column(key).choices
        value = self._text(key)
        if value is not None and value not in choices:
            self._lose(f"`{key}` must be one of {', '.join(choices)}{nearest(value, choices)}", key)
            return None
        return value

    def _amount(self) -> Decimal | None:
        given = self.record.get("amount_usd")
        value = amount(given)
        if given is not None and value is None:
            self._lose("`amount_usd` must be a number below a billion", "amount_usd")
        return value

    def _moment(self, key: str) -> int | None:
        """The start or end of the period; a date as its end is the last millisecond of that day."""
        given = self.record.get(key)
        value = midnight(given)
        if given is not None and value is None:
            self._lose(f"`{key}` must be a date or a time with zone, in the years 2000 to 2100", key)
        if value is not None and key == "to" and len(given) == _DATE_LENGTH:
            value += _DAY_MS - 1
        return value

    def _fields(self) -> str | None:
        given = self.record.get("fields")
        found: list[str] = []
        if isinstance(given, dict):
            found = [text for key, value in given.items() for text in self._field(key, value)]
        elif isinstance(given, list):
            found = [item for item in given if isinstance(item, str) and item]
        if given is not None and not isinstance(given, (dict, list)):
            self._lose("`fields` must be a mapping", "fields")
        events = self.record.get("events")
        if isinstance(events, list) and events:
            found.append(f"events={len(events)}")
        return ", ".join(sorted(found)) or None

    def _field(self, key: str, value: Any) -> Iterator[str]:
        if value is True:
            yield key
        elif isinstance(value, list):
            for item in value:
                yield from self._field(key, item)
        elif isinstance(value, dict):
            self._lose("a mapping inside `fields` cannot be used", "fields")
        elif value is not None and value is not False:
            yield f"{key}={value}"

    def _place(self, *below: str) -> str:
        path: Path_ = ("records", self.index, *below)
        return self.artifact.place(path)

    def _lose(self, what: str, key: str | None = None) -> None:
        below = [key] if key and isinstance(self.record, dict) and key in self.record else []
        self.gaps.append(Gap("lossy", what, self.table, self._place(*below)))


RECORDS = EvidenceFormat(
    name="records",
    title="dated records (native)",
    suffixes=(".yaml", ".yml", ".json"),
    tables=("records", "tests", "credentials", "logs", "alerts"),
    speaks_to=("tested", "held"),
    cannot=(
        "That what it records took place: a record is written by hand, and only a run in a log shows that it happened.",
        "That whoever signed had read and understood what they signed.",
    ),
    sniff=_sniff,
    read=_read,
    stack="psf-audit",
    reads=(
        "dated records: sign-offs, estimates, reviews, incidents, reconciliations, bills, handoffs, certificates",
        "spot checks: what a second person found who looked at a row of an assessment by hand",
        "drills and tests written down by hand, with the run in the log that they exercised",
    ),
    proves=(
        "Who decided what on which day, for which release, and for which reason.",
        "That a drill took place, where it names a run that a log of somebody else holds.",
    ),
    export=("psf-audit schema records",),
    is_source=True,
)
