"""Assessments as earlier versions wrote them keep loading, and say no more than they did.

`assessments/` holds one file for each state of the schema that was ever written, the last one by this state. A change
of what is written adds a file; none of them is ever rewritten.
"""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from psf_audit import api, compare, wire
from psf_audit.compare import Kind
from psf_audit.model import Assessment, Verdict
from psf_audit.rendering import View
from psf_audit.standing import State, decide, standing_of
from tests.deployments import AS_OF, guarded

FOLDER = Path(__file__).parent / "assessments"
FILES = sorted(FOLDER.glob("*.json"))
EACH = pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])


def current(tmp_path: Path) -> Assessment:
    deployment = guarded(tmp_path)
    deployment.manifest["waivers"] = [
        {
            "control": "SPEND-01", "reason": "late", "owner": "R. Okafor", "approved_by": "T. Lind",
            "expires": "2026-12-31",
        }
    ]  # fmt: skip
    return deployment.assess()


def test_there_is_a_file_of_each_state() -> None:
    assert len(FILES) >= 4


@EACH
def test_it_loads_and_says_what_it_said(path: Path) -> None:
    made = api.load(path)
    assert (made.verdict, made.as_of) == (Verdict.READY, AS_OF)
    assert unsaid(json.loads(path.read_text(encoding="utf-8")), wire.to_json(made)) == []


@EACH
def test_it_can_be_rendered_in_every_format(path: Path) -> None:
    made = api.load(path)
    for name in api.formats():
        assert api.render(made, name, View())


@EACH
def test_its_standing_is_told_as_far_as_it_goes(path: Path) -> None:
    made = api.load(path)
    assert standing_of(made, AS_OF, within_days=0).state is State.VALID
    late = standing_of(made, AS_OF + timedelta(days=60), within_days=0)
    assert late.state is State.EXPIRED
    assert decide(late).reason.startswith("expired: ")


@EACH
def test_it_can_be_compared_with_one_of_today(path: Path, tmp_path: Path) -> None:
    made = compare.compare(api.load(path), current(tmp_path))
    assert made.by_kind(Kind.REGRESSED) == ()
    assert made.after.as_of == date(2026, 11, 22)


def test_the_last_one_is_what_this_version_writes(tmp_path: Path) -> None:
    written = json.loads(FILES[-1].read_text(encoding="utf-8"))
    now = wire.to_json(current(tmp_path))
    assert shape(written) == shape(now), "add a file for the new state, and keep the others"


def shape(value: object) -> object:
    """The keys of a document, however deep."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return None


def unsaid(old: object, new: object, where: str = "") -> list[str]:
    """The places where a document does not say what an older form of it said; it may say more."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [one for key, item in old.items() for one in unsaid(item, new.get(key), f"{where}/{key}")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [one for index, (before, after) in pairs for one in unsaid(before, after, f"{where}/{index}")]
    return [] if old == new else [where]
