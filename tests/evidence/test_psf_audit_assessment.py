import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from psf_audit.artifact import Artifact
from psf_audit.errors import Unreadable
from psf_audit.evidence.psf_audit_assessment import PSF_AUDIT_ASSESSMENT
from psf_audit.facts.model import Fact, Item, Stated
from psf_audit.rendering import View
from psf_audit.report.json_report import JSON
from tests import samples

FIXTURE = json.loads((Path(__file__).parent / "fixtures/psf-audit-assessment/assessment.json").read_text())


def read(value: dict[str, Any]) -> list[Item]:
    data = json.dumps(value).encode()
    return list(PSF_AUDIT_ASSESSMENT.read(Artifact("a.json", data, hashlib.sha256(data).hexdigest())))


def record(items: list[Item]) -> dict[str, Any]:
    (fact,) = (item for item in items if isinstance(item, Fact))
    assert (fact.table, fact.basis) == ("records", "record")
    return dict(fact.values)


def test_it_says_who_assessed_what_and_when() -> None:
    items = read(FIXTURE)
    assert Stated(collected=date(2026, 11, 20), release="2.4.0") in items
    assert record(items) == {
        "kind": "assessment",
        "at_ms": 1_795_132_800_000,
        "person": "P. Raman",
        "role": "assessor",
        "subject": "acme-indexer",
        "decision": "ready",
        "fingerprint": FIXTURE["fingerprint"],
    }


def test_what_psf_audit_writes_is_read() -> None:
    made = samples.assessment([])
    found = record(read(json.loads(JSON.assessment(made, View()))))
    assert (found["fingerprint"], found["decision"]) == (made.fingerprint, made.verdict.value)


def test_nobody_assessed_it_where_nobody_is_named() -> None:
    people: list[Any]
    for people in ([], [{"role": "owner", "name": "R. Okafor"}], [{"role": "assessor"}], ["assessor"]):
        assert record(read({**FIXTURE, "deployment": {**FIXTURE["deployment"], "people": people}}))["person"] is None


@pytest.mark.parametrize(
    "changed",
    [{"as_of": "yesterday"}, {"verdict": "fine"}, {"fingerprint": ""}, {"fingerprint": 7}, {"deployment": {}}],
)
def test_one_that_does_not_say_what_it_is_of_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(Unreadable, match="does not say which deployment it is of"):
        read({**FIXTURE, **changed})


def test_another_version_of_the_schema_is_refused() -> None:
    with pytest.raises(Unreadable, match="is not written in psf-audit/assessment/1"):
        read({**FIXTURE, "schema": "psf-audit/assessment/9"})
