"""Two assessments by different rubrics: what is known of the rubrics, and the later deployment by the earlier rubric.

Statuses that other criteria decided are never subtracted. Where the evidence of the later assessment is at hand, it is
assessed once more by the earlier rubric: then both sides compare, and what the newer rubric alone changes stands apart.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from psf_audit import audit, compare, revision
from psf_audit import manifest as manifests
from psf_audit import rubric as rubrics
from psf_audit.compare import Rubrics
from psf_audit.errors import ConfigurationError
from psf_audit.text import plural

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from psf_audit.compare import Comparison
    from psf_audit.model import Assessment, RubricIdentity
    from psf_audit.revision import Revision
    from psf_audit.rubric import Rubric

MOST_NAMED = 12


def diff(old: Assessment, new: Assessment) -> Comparison:
    """What changed between two assessments, with what is known of their rubrics where these are not the same."""
    return compare.compare(old, new, known(old.rubric, new.rubric))


def diff_by_old_rubric(old: Assessment, new: Assessment, manifest: Path, options: audit.Options) -> Comparison:
    """The same with the later deployment assessed by the rubric of the earlier one, on the day of the later one.

    `manifest` is that which `new` assessed; `options` say how to assess, but not the day and the rubric.

    Raises:
        ConfigurationError: the manifest describes another deployment by now, or the earlier rubric is not at hand.
        CannotAssess: there is nothing to audit.
    """
    if _loaded(old.rubric) is None:
        raise ConfigurationError(
            f"the rubric {old.rubric.name} that judged the earlier assessment is not among those of this version",
            hint="assess both by one rubric",
        )
    asked = replace(options, as_of=new.as_of, rubric=old.rubric.spec, ignore_waivers=new.waivers_ignored)
    again = audit.assess_manifest(manifests.load(manifest), asked)
    if again.fingerprint != new.fingerprint:
        raise ConfigurationError(
            f"{manifest} describes another deployment by now than the later assessment is of",
            hint="give manifest and evidence as they were assessed",
        )
    made = compare.compare(old, again)
    return replace(made, by_rubric=compare.by_rubric(again, new, known(again.rubric, new.rubric)))


def known(old: RubricIdentity, new: RubricIdentity) -> Rubrics:
    """What is known of two rubrics; nothing where one of them is not among those of this version, as it was then."""
    if old.scoring_digest == new.scoring_digest:
        return Rubrics()
    before, after = _loaded(old), _loaded(new)
    if before is None or after is None:
        return Rubrics()
    return Rubrics(revision.moves(before, after), tuple(_told(revision.between(before, after))))


def _loaded(identity: RubricIdentity) -> Rubric | None:
    try:
        return rubrics.that_judged(identity)
    except ConfigurationError:  # it was a file of somebody's own, or of another version of psf-audit
        return None


def _told(between: Revision) -> Iterator[str]:
    """What the newer rubric asks otherwise, in a few sentences."""
    for words, controls in (("asks", between.added), ("does not ask any more", between.removed)):
        if controls:
            names = ", ".join(f"{control.id} {control.title}" for control in controls[:MOST_NAMED])
            yield f"{between.after} {words}, {plural(len(controls), 'control')}: {names}{_more(len(controls))}."
    changed = [one.after for one in between.revised if one.decides or one.criteria]
    if changed:
        names = ", ".join(changed[:MOST_NAMED])
        yield f"{between.after} decides by other criteria or bounds: {names}{_more(len(changed))}."


def _more(count: int) -> str:
    return f" and {count - MOST_NAMED} more" if count > MOST_NAMED else ""
