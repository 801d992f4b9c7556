"""Assessments that share what they can find the same as those that share nothing."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from psf_audit import audit, rubric, wire
from psf_audit.engine.duckdb_engine import _bound, _Set
from psf_audit.shared import Shared
from tests import fleets
from tests.deployments import AS_OF, Deployment, event, guarded, log, started


def told(path: Path, shared: Shared | None) -> str:
    return wire.dumps(wire.to_json(audit.run(path, audit.Options(as_of=fleets.AS_OF, shared=shared))))


def test_it_finds_the_same(tmp_path: Path, repo: Path) -> None:
    fleets.make(tmp_path, 5)
    paths = [*sorted(tmp_path.rglob("manifest.yaml")), repo / "samples/dn42/manifest.yaml"]
    shared = Shared()
    alone = [told(path, None) for path in paths]
    assert [told(path, shared) for path in paths] == alone
    assert [told(path, shared) for path in reversed(paths)] == alone[::-1]


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return guarded(tmp_path)


def forbidden(count: int) -> str:
    return log(started(), *(event(name="forbidden.call", cost_usd=number) for number in range(count)))


def test_it_finds_the_same_beyond_the_row_limit_and_where_a_criterion_fails(deployment: Deployment) -> None:
    shared = Shared()
    failing = deployment.rubric.replace(
        "SELECT ref, 'request limit' AS what, amount AS found FROM outside_limits WHERE resource = 'requests'",
        "SELECT ref, 'request limit' AS what, CAST(resource AS BIGINT) AS found FROM limits",
    )
    assert failing != deployment.rubric
    whole = deployment.rubric
    for count, text in ((1, whole), (250, whole), (3, failing), (120, failing), (1, whole)):
        deployment.rubric = text
        deployment.put("evidence/log.jsonl", forbidden(count))
        for _ in range(2):
            assert deployment.assess(shared=shared) == deployment.assess()


def test_a_rubric_is_read_again_where_it_changed(deployment: Deployment) -> None:
    shared, path = Shared(), deployment.folder / "rubric.yaml"
    deployment.save()
    first = shared.rubric(path)
    assert shared.rubric(path) is first
    path.write_text(deployment.rubric.replace("A small rubric", "Another"), encoding="utf-8")
    assert shared.rubric(path) == rubric.load(path) != first


def test_a_parameter_keeps_its_type() -> None:
    kit = _Set(256)
    sql = "SELECT typeof($value) AS what, CAST($value AS VARCHAR) AS unit"
    for value in (1, 2**40, Decimal("0.05"), Decimal("-12.500"), True, "it's", "1"):
        prepared = kit.connection.execute(kit.question(sql, {"value": value}, 9)).fetchall()
        assert prepared == kit.connection.execute(sql, {"value": _bound(value)}).fetchall()


def test_the_day_is_that_of_the_deployments() -> None:
    assert fleets.AS_OF == AS_OF
