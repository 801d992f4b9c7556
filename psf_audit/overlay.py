"""An overlay: a rubric made stricter, looser, larger or smaller by somebody who says so (pure).

An overlay names one version of one rubric and what it asks otherwise. What it comes to is a rubric like any other.
Whether a change tightens or loosens is reckoned here, never taken from the overlay: a shorter age, a higher severity, a
test that must attack, and a number moved in the direction that the rubric itself calls stricter are tighter. Whatever
nobody can tell counts as loosened, so that it is disclosed.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psf_audit.reading import Path_

    Report = Callable[[Path_, str, str | None], None]

_SEVERITIES = ("medium", "high", "blocking")
# Where a control keeps an age in days, and what it is the age of.
_AGES = {
    ("present_max_age_days",): "age of its evidence in days",
    ("tested", "max_age_days"): "age of its tests in days",
    ("documented", "max_age_days"): "age of its document in days",
}


class Effect(Enum):
    """What a change does to what is asked."""

    ADDED = "added"
    TIGHTENED = "tightened"
    LOOSENED = "loosened"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that an overlay changes: of which control (None: of the rubric), what in words, and why it says so."""

    effect: Effect
    control: str | None
    what: str
    why: str | None = None

    def __str__(self) -> str:
        """The change as a clause."""
        subject = f"{self.control}: " if self.control else ""
        return f"{subject}{self.what}" + (f" ({self.why.rstrip('.')})" if self.why else "")


@dataclass(frozen=True, slots=True)
class Overlay:
    """Which overlay it is, of which rubric, and all that it changes."""

    id: str
    version: str
    title: str
    about: str
    extends: str
    changes: tuple[Change, ...]

    @property
    def name(self) -> str:
        """Id and version, as one writes them."""
        return f"{self.id}@{self.version}"

    @property
    def loosened(self) -> tuple[str, ...]:
        """What it asks less, or nobody can tell, one clause each."""
        return tuple(str(change) for change in self.changes if change.effect is Effect.LOOSENED)

    @property
    def disclosures(self) -> tuple[str, ...]:
        """Sentences for reports: that there is an overlay, how much it changes, and everything that it loosens."""
        counts = [
            f"{sum(change.effect is effect for change in self.changes)} {effect.value}"
            for effect in Effect
            if any(change.effect is effect for change in self.changes)
        ]
        first = f"{self.extends} was used with the overlay {self.name}: {', '.join(counts) or 'it changes nothing'}."
        return (first, *(f"Loosened by {self.name}: {clause}." for clause in self.loosened))


def is_overlay(value: Any) -> bool:
    """Whether a document says that it is an overlay."""
    return isinstance(value, dict) and str(value.get("schema")).startswith("psf-audit/overlay/")


def apply(base: dict[str, Any], value: dict[str, Any], report: Report) -> tuple[dict[str, Any], Overlay]:
    """The rubric that an overlay makes of another, as a document, and what it changes.

    Both fit their schemas. What does not fit together is reported by its place in the overlay.
    """
    made = deepcopy(base)
    changes = [
        *_selected(made, base, value, report),
        *_waivers(made, value),
        *_changed(made, base, value, report),
        *_added(made, base, value, report),
    ]
    kept = {control["domain"] for control in made["controls"]}
    made["domains"] = [domain for domain in made["domains"] if domain["id"] in kept]
    _check_domains(made, base, report)
    overlay = Overlay(
        id=value["id"],
        version=value["version"],
        title=value["title"],
        about=" ".join(value["about"].split()),
        extends=value["extends"],
        changes=tuple(changes),
    )
    return made, overlay


def _check_domains(made: dict[str, Any], base: dict[str, Any], report: Report) -> None:
    """A domain without a blocking control can never pass, so one that had some must keep one, or be left out."""
    if not made["controls"]:
        report(("select",), "no control is left", "select some")

    def blocking(rubric: dict[str, Any]) -> set[str]:
        return {control["domain"] for control in rubric["controls"] if control["severity"] == "blocking"}

    for domain in made["domains"]:
        if domain["id"] in blocking(base) - blocking(made):
            what = f"no blocking control is left in the domain {domain['id']}, so that it could never pass"
            report((), what, "keep one, or leave the domain out")


# ---------------------------------------------------------------------------------------------------------- selecting


def _selected(made: dict[str, Any], base: dict[str, Any], value: dict[str, Any], report: Report) -> Iterator[Change]:
    """Leave out what is not selected, and what is unselected: a loosening that names each control."""
    ids, domains = _ids(base), {domain["id"] for domain in base["domains"]}
    for key in ("select", "unselect"):
        if key not in value:
            continue
        named = value[key]
        for kind, known in (("domains", domains), ("controls", ids)):
            for index, name in enumerate(named.get(kind, ())):
                if name not in known:
                    _unknown((key, kind, index), kind, name, base, report)
        chosen = {ids.get(name) for name in named.get("controls", ())}
        hit = {
            control["id"]
            for control in base["controls"]
            if control["domain"] in named.get("domains", ()) or control["id"] in chosen
        }
        left = [control for control in made["controls"] if (control["id"] in hit) is (key == "select")]
        gone = [f"{control['id']} ({control['severity']})" for control in made["controls"] if control not in left]
        if gone:
            yield Change(Effect.LOOSENED, None, f"left out: {', '.join(gone)}", _line(named["why"]))
        made["controls"] = left


def _ids(base: dict[str, Any]) -> dict[str, str]:
    """Every id that a control of the rubric has or had, with that of today."""
    return {
        name: control["id"] for control in base["controls"] for name in (control["id"], *control.get("aliases", ()))
    }


def _unknown(where: Path_, kind: str, name: str, base: dict[str, Any], report: Report) -> None:
    rubric = f"{base['id']} {base['version']}"
    report(
        where, f"{rubric} has no {kind.removesuffix('s')} {name!r}", f"psf-audit rubric show {base['id']} names them"
    )


# ----------------------------------------------------------------------------------------------------------- changing


def _waivers(made: dict[str, Any], value: dict[str, Any]) -> Iterator[Change]:
    if "waivers" in value:
        was, now = made["waivers"]["max_days"], value["waivers"]["max_days"]
        made["waivers"] = {"max_days": now}
        if was != now:
            effect = Effect.TIGHTENED if now < was else Effect.LOOSENED
            yield Change(effect, None, f"days a waiver may run: {now} instead of {was}", _line(value["waivers"]["why"]))


def _changed(made: dict[str, Any], base: dict[str, Any], value: dict[str, Any], report: Report) -> Iterator[Change]:
    controls, ids = {control["id"]: control for control in made["controls"]}, _ids(base)
    seen: set[str] = set()
    for index, change in enumerate(value.get("change", ())):
        where: Path_ = ("change", index)
        name = ids.get(change["control"])
        if name is None:
            _unknown((*where, "control"), "controls", change["control"], base, report)
        elif name in seen:
            report((*where, "control"), f"{name} stands here a second time", "keep one")
        elif name not in controls:
            report((*where, "control"), f"{name} is left out, so it cannot be changed", "select it, or drop the change")
        else:
            for effect, what in _control(controls[name], change, where, report):
                yield Change(effect, name, what, _line(change["why"]))
        seen.add(name or change["control"])


def _control(
    control: dict[str, Any], change: dict[str, Any], where: Path_, report: Report
) -> Iterator[tuple[Effect, str]]:
    """Change one control in place; each thing that is not as before, with its effect."""
    if change.get("severity", control["severity"]) != control["severity"]:
        was, now = control["severity"], change["severity"]
        control["severity"] = now
        tighter = _SEVERITIES.index(now) > _SEVERITIES.index(was)
        yield _effect(tighter=tighter), f"severity: {now} instead of {was}"
    for path, label in _AGES.items():
        wanted = change.get(path[0], {}) if len(path) > 1 else change
        if path[-1] in wanted:
            holder = control[path[0]] if len(path) > 1 else control
            was, now = holder[path[-1]], wanted[path[-1]]
            holder[path[-1]] = now
            if now != was:
                yield _effect(tighter=now < was), f"{label}: {now} instead of {was}"
    attack = change.get("tested", {}).get("adversarial", control["tested"]["adversarial"])
    if attack != control["tested"]["adversarial"]:
        control["tested"]["adversarial"] = attack
        yield _effect(tighter=attack), "its test must attack it" if attack else "its test need not attack it"
    for name, now in change.get("params", {}).items():
        at = (*where, "params", name)
        yield from _param(control, name, now, partial(report, at))


def _param(
    control: dict[str, Any], name: str, now: Any, report: Callable[[str, str | None], None]
) -> Iterator[tuple[Effect, str]]:
    params = control.get("params", {})
    if name not in params:
        known = f"known: {', '.join(sorted(params))}" if params else "it has none"
        report(f"{control['id']} has no param {name!r}", known)
        return
    was = params[name]
    if _kind(was) != _kind(now):
        report(f"{name} of {control['id']} must be {_kind(was)}, like {_shown(was)}", None)
        return
    params[name] = now
    if now == was:
        return
    direction = control.get("stricter", {}).get(name)
    what = f"{name}: {_shown(now)} instead of {_shown(was)}"
    if direction is None:
        yield Effect.LOOSENED, f"{what}, of which the rubric does not say whether it asks more or less"
    else:
        yield _effect(tighter=(now < was) is (direction == "lower")), what


def _effect(*, tighter: bool) -> Effect:
    return Effect.TIGHTENED if tighter else Effect.LOOSENED


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    return "a number" if isinstance(value, (int, Decimal)) else "text"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return format(Decimal(value).normalize(), "f") if isinstance(value, (int, Decimal)) else repr(value)


# ------------------------------------------------------------------------------------------------------------- adding


def _added(made: dict[str, Any], base: dict[str, Any], value: dict[str, Any], report: Report) -> Iterator[Change]:
    taken = set(_ids(base))
    domains = {domain["id"] for domain in base["domains"]}
    for index, control in enumerate(value.get("add", ())):
        where: Path_ = ("add", index)
        for key, name in (("id", control["id"]), *(("aliases", alias) for alias in control.get("aliases", ()))):
            if name in taken:
                report((*where, key), f"the id {name} is taken", None)
        if control["domain"] not in domains:
            hint = f"known: {', '.join(sorted(domains))}"
            report((*where, "domain"), f"there is no domain {control['domain']!r}", hint)
        taken.add(control["id"])
        yield Change(Effect.ADDED, control["id"], f"{control['title']}, {control['severity']}")
    # After the last of its domain, so that the rubric keeps the order of its domains.
    order = {domain["id"]: number for number, domain in enumerate(base["domains"])}
    made["controls"] += [deepcopy(control) for control in value.get("add", ())]
    if value.get("add"):
        made["controls"].sort(key=lambda control: order.get(control["domain"], len(order)))


def _line(text: str) -> str:
    return " ".join(text.split())
