"""From the answers of the criteria to statuses, scores and a verdict.

Everything here is pure: the same answers give the same assessment, whatever the order in which evidence was read. The
order in which a status is decided is the contract: a record that contradicts outranks everything, an unknown never
softens what is proven to fail, and nothing but fresh, bound, owned artifacts makes a control demonstrated.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from psf_audit.facts.model import SPOT_CHECK
from psf_audit.model import (
    ControlResult,
    DomainResult,
    Expiry,
    Finding,
    Findings,
    Rest,
    Severity,
    Source,
    Status,
    Verdict,
    WaiverUse,
)
from psf_audit.values import day_of_milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from psf_audit.query import Answer, Answers
    from psf_audit.rubric import Control, Rubric

Row = dict[str, Any]

MAX_VALID_DAYS = 180
MAX_ROWS = 100
LISTED = 3
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known of the fact that an answer's `ref` names."""

    source: Source
    basis: str | None
    age_days: int
    bound: bool
    from_log: bool


@dataclass(frozen=True, slots=True)
class Dossier:
    """Everything a control is judged on, gathered by the caller.

    `answers` has an entry for each criterion of the control. `fact` looks a `ref` up. `gaps` are those that concern the
    control or what its criteria read, each with the criteria it touches. `carried` are the event columns that some log
    of this assessment records at all.
    """

    control: Control
    answers: Mapping[str, Answers]
    fact: Callable[[int], Fact | None]
    gaps: Sequence[tuple[Row, frozenset[str]]]
    tests: Sequence[Row]
    documents: Sequence[Row]
    carried: frozenset[str]
    witnessed_runs: frozenset[str]
    has_events: bool
    as_of: date


def judge(dossier: Dossier) -> ControlResult:
    """The status of one control, in the order of the contract, and until when what it rests on holds."""
    return _Judge(dossier).judge()


class _Judge:
    """Works through the order in which a status is decided; used once."""

    def __init__(self, dossier: Dossier) -> None:
        self.dossier = dossier
        self.control = dossier.control
        self.notes: list[str] = []
        self.expiries: list[Expiry] = []

    def judge(self) -> ControlResult:
        """Decide, and gather what the decision rests on."""
        status, reason = self._decide()
        rows = self.dossier.answers
        evident = status in {Status.UNTESTED, Status.UNDOCUMENTED, Status.DEMONSTRATED}
        return ControlResult(
            id=self.control.id,
            title=self.control.title,
            domain=self.control.domain,
            severity=self.control.severity,
            status=status,
            reason=reason,
            requirement=self.control.requirement,
            why=self.control.why,
            question=self.control.question,
            remedy=self.control.remedy,
            references=self.control.references,
            claims=self._findings(rows.get("claims")),
            shows=self._findings(rows.get("shows")),
            lacks=self._findings(rows.get("lacks")),
            breaks=self._findings(rows.get("breaks")),
            tests=self._row_findings(self.dossier.tests, _test_finding),
            documents=self._row_findings(self.dossier.documents, _document_finding),
            gaps=self._row_findings([gap for gap, _ in self.dossier.gaps], _gap_finding),
            notes=tuple(self.notes),
            expiries=tuple(self.expiries) if evident else (),
        )

    def _decide(self) -> tuple[Status, str]:
        for step in (
            self._breaks, self._failed_test, self._not_applicable, self._present, self._covered, self._held,
            self._tested, self._documented,
        ):  # fmt: skip
            decided = step()
            if decided is not None:
                return decided
        self._not_yet_exercised()
        return Status.DEMONSTRATED, "present, tested, held by the records, and documented"

    def _unanswered(self, *criteria: str) -> tuple[Status, str] | None:
        """A criterion that could not be answered makes the control unknown, unless another one proves more."""
        for name in criteria:
            answers = self.dossier.answers.get(name)
            if answers is not None and answers.failure:
                return Status.UNKNOWN, f"the criterion {name} could not be answered: {answers.failure}"
        return None

    def _real_breaks(self) -> list[Answer]:
        """The breaking rows that do not rest on the absence of what a gap could hide, or no log records at all."""
        answers = self.dossier.answers.get("breaks")
        return [row for row in answers.rows if not self._excused(row)] if answers else []

    def _excused(self, row: Answer) -> bool:
        if row.absent is None:
            return False
        table, _, column = row.absent.partition(".")
        if table == "events" and column and column not in self.dossier.carried:
            return True
        return any(_covers(gap["facts"], row.absent) for gap, _ in self.dossier.gaps)

    def _breaks(self) -> tuple[Status, str] | None:
        real = self._real_breaks()
        if real:
            return Status.CONTRADICTED, f"the records contradict it: {_summary(real, self._count('breaks'))}"
        return None

    def _excused_breaks(self) -> tuple[Status, str] | None:
        """Breaks that are all excused prove nothing, and leave nothing better than unknown."""
        answers = self.dossier.answers.get("breaks")
        if not answers or not answers.rows:
            return None
        return (
            Status.UNKNOWN,
            f"{_summary(answers.rows, answers.count)}, but what would show otherwise is not at hand",
        )

    def _failed_test(self) -> tuple[Status, str] | None:
        """Only a later pass on this release clears a failure: no skipped run, and no result of another release."""
        decisive = [row for row in self.dossier.tests if row["bound"] and row["outcome"] in {"passed", "failed"}]
        failed = [row for row in newest(decisive) if row["outcome"] == "failed"]
        if failed:
            return Status.CONTRADICTED, f"the newest result of {failed[0]['name'] or 'its test'} is a failure"
        return None

    def _not_applicable(self) -> tuple[Status, str] | None:
        answers = self.dossier.answers.get("applies_when")
        if answers is None or answers.count:
            return None
        undecided = self._unanswered("applies_when", "breaks") or self._excused_breaks()
        if undecided is not None:
            return undecided
        gap = self._gap("applies_when")
        if gap is not None:
            return Status.UNKNOWN, f"cannot tell whether it applies: {gap['what']}"
        return Status.NOT_APPLICABLE, "nothing declared or seen makes it apply"

    def _present(self) -> tuple[Status, str] | None:
        rows = self.dossier.answers["shows"].rows
        fresh = [row for row in rows if self._is_fresh(row)]
        if fresh:
            self._note_expiry(fresh)
            return None
        return self._unanswered("shows") or self._not_at_hand(rows) or self._absent()

    def _not_at_hand(self, rows: Sequence[Answer]) -> tuple[Status, str] | None:
        gap = self._gap("shows")
        if gap is not None:
            return Status.UNKNOWN, f"nothing shows it, and evidence is lacking: {gap['what']}"
        if rows:
            return Status.UNKNOWN, f"what shows it is {self._why_not_fresh(rows)}"
        return None

    def _absent(self) -> tuple[Status, str]:
        claims = self.dossier.answers.get("claims")
        if claims is not None and claims.count:
            return Status.MISSING, "it is only claimed; no artifact shows it"
        if self.dossier.documents:
            return Status.MISSING, "it is only written down; no artifact shows it"
        return Status.MISSING, "no artifact shows it"

    def _why_not_fresh(self, rows: Sequence[Answer]) -> str:
        facts = [fact for row in rows if row.ref is not None and (fact := self.dossier.fact(row.ref))]
        if facts and all(not fact.bound for fact in facts):
            return "of another release, or nothing shows that it is in force"
        return f"older than {self.control.present_max_age_days} days, or of another release"

    def _is_fresh(self, row: Answer) -> bool:
        fact = self.dossier.fact(row.ref) if row.ref is not None else None
        if fact is None:
            return True
        age = self._age(row, fact)
        return fact.bound and (fact.from_log or 0 <= age <= self.control.present_max_age_days)

    def _age(self, row: Answer, fact: Fact) -> int:
        if row.at_ms is None or fact.from_log:
            return fact.age_days
        return self._days_since(row.at_ms)

    def _note_expiry(self, rows: Sequence[Answer]) -> None:
        """One fresh row suffices, so the youngest decides; logs are read anew anyway and only ask to be refreshed."""
        facts = ((row, self.dossier.fact(row.ref)) for row in rows if row.ref is not None)
        known = [(row, fact) for row, fact in facts if fact is not None]
        if not known:
            return
        row, fact = min(known, key=lambda one: (one[1].from_log, self._age(*one)))
        of = Rest.LOG if fact.from_log else Rest.EVIDENCE
        self._rests_on(of, row.what, self._age(row, fact), self.control.present_max_age_days, fact)

    def _rests_on(self, of: Rest, what: str, age: int, max_age: int, fact: Fact | None) -> None:
        until = self.dossier.as_of + timedelta(days=max_age - age)
        self.expiries.append(Expiry(until, of, what, fact.source if fact else None))

    def _days_since(self, milliseconds: int) -> int:
        return (self.dossier.as_of - day_of_milliseconds(milliseconds)).days

    def _covered(self) -> tuple[Status, str] | None:
        answers = self.dossier.answers.get("lacks")
        if answers is None or not answers.count:
            return self._unanswered("lacks")
        gap = self._gap("lacks")
        if gap is not None:
            return Status.UNKNOWN, f"{_summary(answers.rows, answers.count)}, and evidence is lacking: {gap['what']}"
        covered = [row.what for row in self.dossier.answers["shows"].rows if self._is_fresh(row)]
        return Status.MISSING, f"partly covered ({_listed(covered)}), lacking: {_summary(answers.rows, answers.count)}"

    def _held(self) -> tuple[Status, str] | None:
        undecided = self._excused_breaks() or self._unanswered(*self.dossier.answers)
        if undecided is not None:
            return undecided
        for gap, touched in self.dossier.gaps:
            own = {"shows"} if gap["control"] == self.control.id else set()
            if touched & {"lacks", "breaks", "tests", "documents", *own}:
                return Status.UNKNOWN, f"present, but evidence that could show otherwise is lacking: {gap['what']}"
        return None

    def _tested(self) -> tuple[Status, str] | None:
        passing = [row for row in standing(self.dossier.tests) if self._why_no_test(row) is None]
        if not passing:
            if not self.dossier.tests:
                return Status.UNTESTED, "present, but no test of it is at hand"
            why = self._why_no_test(newest(self.dossier.tests)[0])
            return Status.UNTESTED, f"present, but no test counts: {why}"
        youngest = max(passing, key=lambda row: row["at_ms"])
        self._rests_on(
            Rest.TEST,
            youngest["name"] or "test",
            self._days_since(youngest["at_ms"]),
            self.control.tested.max_age_days,
            self.dossier.fact(youngest["ref"]),
        )
        return None

    def _why_no_test(self, row: Row) -> str | None:
        """Why a test result does not show that the control works; None when it does."""
        name = row["name"] or "the test"
        age = self._days_since(row["at_ms"]) if row["at_ms"] is not None else None
        by_hand = row["basis"] == "record"
        checks = (
            (row["outcome"] != "passed", f"the newest result of {name} is {row['outcome']}"),
            (row["suite"] == SPOT_CHECK, f"{name} looked at evidence, and tried nothing"),
            (not row["bound"], f"{name} does not name this release"),
            (age is None, f"{name} has no date"),
            (age is not None and age > self.control.tested.max_age_days, f"{name} is older than the rubric allows"),
            (self.control.tested.adversarial and not row["adversarial"], f"{name} does not try to defeat it"),
            (self._needs_artifact() and row["link"] != "artifact", f"only the manifest says that {name} tests it"),
            (
                self.control.tested.adversarial and by_hand and row["run"] not in self.dossier.witnessed_runs,
                f"{name} is written by hand and names no run in a log that somebody other than the agent wrote",
            ),
        )
        return next((why for fails, why in checks if fails), None)

    def _needs_artifact(self) -> bool:
        return self.control.severity is Severity.BLOCKING

    def _documented(self) -> tuple[Status, str] | None:
        limit = self.control.documented_max_age_days
        owned = [row for row in self.dossier.documents if row["owner"] and row["reviewed_ms"] is not None]
        fresh = [row for row in owned if 0 <= self._days_since(row["reviewed_ms"]) <= limit]
        if fresh:
            youngest = max(fresh, key=lambda row: row["reviewed_ms"])
            what, age = youngest["title"] or youngest["kind"] or "document", self._days_since(youngest["reviewed_ms"])
            self._rests_on(Rest.DOCUMENT, what, age, limit, self.dossier.fact(youngest["ref"]))
            return None
        if not self.dossier.documents:
            return Status.UNDOCUMENTED, "tested, but no document covers it"
        return Status.UNDOCUMENTED, "tested, but no document of it has an owner and a fresh review"

    def _not_yet_exercised(self) -> None:
        if not self.dossier.has_events and "breaks" in self.control.criteria:
            analysis = self.control.analyses["breaks"]
            if "events" in analysis.tables:
                self.notes.append("not yet exercised: no log of what really happened was at hand")

    def _gap(self, criterion: str) -> Row | None:
        return next((gap for gap, touched in self.dossier.gaps if criterion in touched), None)

    def _count(self, criterion: str) -> int:
        return self.dossier.answers[criterion].count

    def _findings(self, answers: Answers | None) -> Findings:
        if answers is None:
            return Findings()
        return Findings(tuple(self._finding(row) for row in answers.rows[:MAX_ROWS]), answers.count)

    def _finding(self, row: Answer) -> Finding:
        fact, other = (self.dossier.fact(ref) if ref is not None else None for ref in (row.ref, row.against))
        return Finding(
            what=row.what,
            found=plain(row.found),
            expected=plain(row.expected),
            unit=row.unit,
            at=moment(row.at_ms),
            source=fact.source if fact else None,
            against=other.source if other else None,
        )

    def _row_findings(self, rows: Sequence[Row], make: Callable[[Row, Source | None], Finding]) -> Findings:
        made = tuple(make(row, fact.source if (fact := self.dossier.fact(row["ref"])) else None) for row in rows)
        return Findings(made[:MAX_ROWS], len(made))


_WORST_FIRST = {"failed": 0, "error": 1, "inconclusive": 2, "skipped": 3, "passed": 4}


def newest(tests: Sequence[Row]) -> list[Row]:
    """The newest result of each test (suite and name), the worst first; of results at the same time, a failure."""
    return sorted((results[0] for results in _by_test(tests)), key=lambda row: (_badness(row), row["ref"]))


def standing(tests: Sequence[Row]) -> list[Row]:
    """The passing results that no later result of the same test, nor one at the same time, takes back."""
    return [row for results in _by_test(tests) for row in takewhile(lambda one: one["outcome"] == "passed", results)]


def _by_test(tests: Sequence[Row]) -> list[list[Row]]:
    """The results of each test, the newest first; of results at the same time, the worst."""
    found: dict[tuple[str | None, str | None], list[Row]] = {}
    for row in sorted(tests, key=lambda row: (-(row["at_ms"] or 0), _badness(row), row["ref"])):
        found.setdefault((row["suite"], row["name"]), []).append(row)
    return list(found.values())


def _badness(row: Row) -> int:
    return _WORST_FIRST.get(row["outcome"], 1)


def _covers(gap_facts: str | None, absent: str) -> bool:
    """Whether a gap in `table` or `table.column` could hide what is said to be absent."""
    return gap_facts is None or gap_facts == absent or absent.startswith(gap_facts + ".")


def moment(milliseconds: int | None) -> str | None:
    """Milliseconds as an RFC 3339 time, UTC."""
    if milliseconds is None:
        return None
    return (_EPOCH + timedelta(milliseconds=int(milliseconds))).strftime("%Y-%m-%dT%H:%M:%SZ")


def plain(value: Any) -> str | None:
    """A number without trailing zeros or exponent, or text, as a report shows it."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, Decimal):
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(value)


def _summary(rows: Sequence[Answer], count: int) -> str:
    return _listed([row.what for row in rows], count)


def _listed(names: Sequence[str], count: int | None = None) -> str:
    """The first three different names, and how many more there are."""
    distinct = list(dict.fromkeys(names))
    shown = "; ".join(distinct[:LISTED])
    more = max(len(distinct), count if count is not None and len(distinct) > LISTED else 0) - len(distinct[:LISTED])
    return f"{shown} and {more} more" if more > 0 else shown


def _test_finding(row: Row, source: Source | None) -> Finding:
    kind = "adversarial " if row["adversarial"] else ""
    return Finding(
        what=f"{row['name'] or 'test'} ({kind}{row['how'] or 'test'})",
        found=row["outcome"],
        expected="passed",
        at=moment(row["at_ms"]),
        source=source,
    )


def _document_finding(row: Row, source: Source | None) -> Finding:
    return Finding(
        what=f"{row['title'] or row['kind'] or 'document'}, owner {row['owner'] or 'nobody named'}",
        at=moment(row["reviewed_ms"]),
        source=source,
    )


def _gap_finding(row: Row, source: Source | None) -> Finding:
    return Finding(what=row["what"], unit=str(row["kind"]).replace("_", " "), source=source)


# ------------------------------------------------------------------------------------------------ domains and verdict


def domain_score(controls: Sequence[ControlResult]) -> Fraction | None:
    """The weighted share of credit over the controls that apply; None when none does."""
    applicable = [control for control in controls if control.status is not Status.NOT_APPLICABLE]
    weight = sum(control.severity.weight for control in applicable)
    if not weight:
        return None
    return Fraction(sum(control.severity.weight * control.status.credit for control in applicable), weight)


def overall_score(results: Sequence[DomainResult]) -> Fraction | None:
    """The lowest domain's score: no average lifts a failed domain; None where a domain has none."""
    scores = [domain.score for domain in results if domain.score is not None]
    return min(scores) if scores and len(scores) == len(results) else None


def coverage(controls: Sequence[ControlResult]) -> Fraction:
    """The share of the weight that applies which could be evaluated; 0 when nothing applies."""
    applicable = [control for control in controls if control.status is not Status.NOT_APPLICABLE]
    weight = sum(control.severity.weight for control in applicable)
    known = sum(control.severity.weight for control in applicable if control.status is not Status.UNKNOWN)
    return Fraction(known, weight) if weight else Fraction(0)


def passes(statuses: Sequence[tuple[Severity, Status]]) -> bool:
    """Whether a domain passes on these severities and statuses."""
    blocking = [status for severity, status in statuses if severity is Severity.BLOCKING]
    applicable = [status for status in blocking if status is not Status.NOT_APPLICABLE]
    high = [status for severity, status in statuses if severity is Severity.HIGH]
    return (
        bool(applicable)
        and all(status is Status.DEMONSTRATED for status in applicable)
        and all(status is not Status.CONTRADICTED for _, status in statuses)
        and not any(status in {Status.MISSING, Status.UNKNOWN} for status in high)
    )


def domains(rubric: Rubric, results: Sequence[ControlResult]) -> tuple[DomainResult, ...]:
    """The domains of a rubric with their controls, in its order."""
    made = []
    for domain in rubric.domains:
        own = tuple(result for result in results if result.domain == domain.id)
        made.append(
            DomainResult(
                id=domain.id,
                title=domain.title,
                passes=passes([(control.severity, control.status) for control in own]),
                score=domain_score(own),
                controls=own,
            )
        )
    return tuple(made)


def verdict(results: Sequence[DomainResult]) -> Verdict:
    """The weakest domain decides; unknowns are taken as demonstrated only to tell failure from ignorance."""
    if not results:
        return Verdict.NOT_READY
    if all(domain.passes for domain in results):
        return Verdict.READY
    if all(_passes_with(domain, waivers=True, unknowns=False) for domain in results):
        return Verdict.READY_WITH_WAIVERS
    if all(_passes_with(domain, waivers=True, unknowns=True) for domain in results):
        return Verdict.INCOMPLETE
    return Verdict.NOT_READY


def _passes_with(domain: DomainResult, *, waivers: bool, unknowns: bool) -> bool:
    statuses = []
    for control in domain.controls:
        status = control.status
        if (waivers and control.waiver is not None) or (unknowns and status is Status.UNKNOWN):
            status = Status.DEMONSTRATED
        statuses.append((control.severity, status))
    return passes(statuses)


def deciding(results: Sequence[DomainResult]) -> tuple[str, ...]:
    """One sentence for each domain that does not pass, naming the controls that decide it."""
    sentences = []
    for domain in results:
        if domain.passes:
            continue
        worst_first = list(Status).index
        holding = sorted((one for one in domain.controls if _holds_back(one)), key=lambda one: worst_first(one.status))
        named = ", ".join(f"{control.id} {control.status.label}" for control in holding[:LISTED])
        more = f" and {len(holding) - LISTED} more" if len(holding) > LISTED else ""
        sentences.append(f"{domain.title}: {named + more if holding else 'no blocking control applies'}")
    return tuple(sentences)


def _holds_back(control: ControlResult) -> bool:
    """Whether a control keeps its domain from passing."""
    if control.severity is Severity.BLOCKING:
        return control.status.is_gap
    if control.severity is Severity.HIGH:
        return control.status in {Status.CONTRADICTED, Status.MISSING, Status.UNKNOWN}
    return control.status is Status.CONTRADICTED


def valid_until(results: Sequence[ControlResult], waivers: Sequence[WaiverUse], as_of: date) -> date | None:
    """The day the first needed piece of evidence or matched waiver runs out, at most 180 days on; None without any."""
    days = [result.valid_until for result in results if result.valid_until is not None]
    if not days:
        return None
    days += [date.fromisoformat(waiver.expires) for waiver in waivers if waiver.state == "matched"]
    return min(*days, as_of + timedelta(days=MAX_VALID_DAYS))


def refresh_by(results: Sequence[ControlResult]) -> date | None:
    """The day by which the first log that a control rests on should be read anew."""
    return min((result.refresh_by for result in results if result.refresh_by is not None), default=None)
