"""What one rubric asks otherwise than another: two versions of it, or it and what an overlay made of it (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from psf_audit import migration
from psf_audit.migration import version_key
from psf_audit.model import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psf_audit.migration import Moved
    from psf_audit.rubric import Control, Rubric

_WORDINGS = ("title", "domain", "requirement", "why", "question")
_SEVERITIES = (Severity.MEDIUM, Severity.HIGH, Severity.BLOCKING)
MORE, LESS = "asks more", "asks less"


@dataclass(frozen=True, slots=True)
class Sql:
    """A criterion that is not the same; None where there is none."""

    criterion: str
    before: str | None
    after: str | None

    @property
    def words(self) -> str:
        """What happened to it."""
        return f"{self.criterion} {'added' if self.before is None else 'dropped' if self.after is None else 'changed'}"


@dataclass(frozen=True, slots=True)
class Revised:
    """A control that both rubrics have and that is not the same: its ids, what decides a status, and its wording."""

    before: str
    after: str
    title: str
    decides: tuple[str, ...]
    criteria: tuple[Sql, ...]
    wording: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Became:
    """What became of a control of the older rubric: renamed, split, merged or removed, and why."""

    control: str
    kind: str
    to: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Revision:
    """All that two rubrics do not have in common; `same_scoring` is true when no status can differ."""

    before: str
    after: str
    changelog: tuple[str, ...]
    became: tuple[Became, ...]
    added: tuple[Control, ...]
    removed: tuple[Control, ...]
    revised: tuple[Revised, ...]
    other: tuple[str, ...]
    same_scoring: bool


def label(rubric: Rubric) -> str:
    """A rubric as one names it, with its overlay."""
    name = f"{rubric.identity.id}@{rubric.identity.version}"
    return f"{name} with {rubric.identity.overlay}" if rubric.identity.overlay else name


def between(old: Rubric, new: Rubric) -> Revision:
    """What is asked otherwise in `new` than in `old`."""
    moved = moves(old, new)
    after = {control.id: control for control in new.controls}
    before = {control.id: control for control in old.controls}
    pairs = {name: name for name in before if name in after}
    for name, one in moved.items():
        if name in before and name not in after and len(one.to) == 1 and one.to[0] in after.keys() - before.keys():
            pairs[name] = one.to[0]
    revised = [_revised(before[name], after[to]) for name, to in pairs.items()]
    return Revision(
        before=label(old),
        after=label(new),
        changelog=_entries(old, new),
        became=tuple(
            Became(name, migration.kind(name, one, moved.values()), one.to, " ".join(one.why))
            for name, one in moved.items()
            if name in before
        ),
        added=tuple(control for control in new.controls if control.id not in pairs.values()),
        removed=tuple(control for control in old.controls if control.id not in pairs),
        revised=tuple(one for one in revised if one.decides or one.criteria or one.wording),
        other=tuple(_other(old, new)),
        same_scoring=old.identity.scoring_digest == new.identity.scoring_digest,
    )


def moves(old: Rubric, new: Rubric) -> dict[str, Moved]:
    """Where the controls of an older version went in a newer one of the same rubric; nothing for any other two."""
    if old.identity.id != new.identity.id:
        return {}
    return migration.between(new.migrations, old.identity.version, new.identity.version)


def _entries(old: Rubric, new: Rubric) -> tuple[str, ...]:
    """The changelog of the newer version, from after the older one on."""
    if old.identity.id != new.identity.id:
        return ()
    first, last = version_key(old.identity.version), version_key(new.identity.version)

    def of(entry: str) -> tuple[int, ...]:
        version = entry.partition(":")[0]
        return version_key(version) if version.replace(".", "").isdigit() else ()

    return tuple(entry for entry in new.changelog if first < of(entry) <= last)


def _revised(old: Control, new: Control) -> Revised:
    names = list(dict.fromkeys([*old.criteria, *new.criteria]))
    sql = [Sql(name, old.criteria.get(name), new.criteria.get(name)) for name in names]
    return Revised(
        before=old.id,
        after=new.id,
        title=new.title,
        decides=tuple(_decides(old, new)),
        criteria=tuple(one for one in sql if _folded(one.before) != _folded(one.after)),
        wording=tuple(_wording(old, new)),
    )


def _folded(sql: str | None) -> str | None:
    return None if sql is None else " ".join(sql.split())


def _decides(old: Control, new: Control) -> Iterator[str]:
    """What decides a status besides SQL: severity, ages, attack, params; with the direction where it is known."""
    if old.severity is not new.severity:
        tighter = _SEVERITIES.index(new.severity) > _SEVERITIES.index(old.severity)
        yield _moved("severity", old.severity.value, new.severity.value, tighter=tighter)
    for name, days, days_now in (
        ("age of its evidence in days", old.present_max_age_days, new.present_max_age_days),
        ("age of its tests in days", old.tested.max_age_days, new.tested.max_age_days),
        ("age of its document in days", old.documented_max_age_days, new.documented_max_age_days),
    ):
        if days != days_now:
            yield _moved(name, str(days), str(days_now), tighter=days_now < days)
    if old.tested.adversarial != new.tested.adversarial:
        must = "must" if new.tested.adversarial else "need not"
        yield f"its test {must} try to defeat it ({MORE if new.tested.adversarial else LESS})"
    for name in sorted(old.params.keys() | new.params.keys()):
        was, now = old.params.get(name), new.params.get(name)
        if was != now:
            yield _moved(name, shown(was), shown(now), tighter=_tighter(was, now, new.stricter.get(name)))


def _tighter(was: Any, now: Any, direction: str | None) -> bool | None:
    """Whether a param asks more than before; None where nobody can tell."""
    if direction is None or was is None or now is None:
        return None
    return bool(now < was) is (direction == "lower")


def _moved(name: str, was: str, now: str, *, tighter: bool | None) -> str:
    direction = "" if tighter is None else f" ({MORE if tighter else LESS})"
    return f"{name}: {now} instead of {was}{direction}"


def shown(value: Any) -> str:
    """The value of a param as it is written."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    return format(Decimal(value).normalize(), "f") if isinstance(value, (int, Decimal)) else str(value)


def _wording(old: Control, new: Control) -> Iterator[str]:
    for name in _WORDINGS:
        if " ".join(getattr(old, name).split()) != " ".join(getattr(new, name).split()):
            yield name
    if old.remedy != new.remedy:
        yield "remedy"
    if old.references != new.references:
        yield "references"
    if old.lifecycle != new.lifecycle:
        yield f"now {new.lifecycle}"


def _other(old: Rubric, new: Rubric) -> Iterator[str]:
    """What is not of a single control."""
    if old.identity.id != new.identity.id:
        yield "These are two rubrics, not two versions of one: controls with the same id may ask different things."
    if old.waiver_max_days != new.waiver_max_days:
        tighter = new.waiver_max_days < old.waiver_max_days
        yield _moved("days a waiver may run", str(old.waiver_max_days), str(new.waiver_max_days), tighter=tighter)
    was, now = {domain.id for domain in old.domains}, {domain.id for domain in new.domains}
    yield from (f"the domain {name} is new" for name in sorted(now - was))
    yield from (f"the domain {name} is left out" for name in sorted(was - now))
