from __future__ import annotations

import csv as reader
import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psf_audit import schemas
from psf_audit.errors import ExitCode
from psf_audit.exposure import Outcome
from psf_audit.fleet import csv, html, markdown, terminal, wire
from psf_audit.fleet.portfolio import (
    Deployment,
    Domain,
    Ends,
    Exposed,
    Failed,
    FailOn,
    Gap,
    Portfolio,
    Selection,
    decide,
    portfolio,
    summary,
)
from psf_audit.model import Status, Verdict
from psf_audit.reading import parse_json, parse_yaml
from psf_audit.rendering import View
from psf_audit.validation import problems
from tests import samples

AS_OF = date(2026, 11, 22)
FORMS: dict[str, Callable[[Portfolio], str]] = {
    "terminal": lambda one: terminal.text(one, View(), ()),
    "markdown": lambda one: markdown.text(one, (), lambda name: f"reports/{name}"),
    "html": lambda one: html.text(one, (), lambda name: f"reports/{name}"),
    "csv": csv.text,
    "json": lambda one: wire.json_text(one, ()),
}


def deployment(path: str = "a.yaml", **given: object) -> Deployment:
    """One that is ready."""
    ready = Deployment(
        path=path,
        name=path.removesuffix(".yaml"),
        release="1",
        environment="production",
        owners=("R. Okafor",),
        rubric="small 1.0.0",
        verdict=Verdict.READY,
        code=ExitCode.READY,
        reason="all demonstrated",
        score=Fraction(1),
        coverage=Fraction(1),
        valid_until=date(2027, 5, 1),
        unread=False,
        fingerprint="f" * 64,
        domains=(Domain("spend", "Spend", Verdict.READY), Domain("audit", "Audit", Verdict.READY)),
        exposure=Exposed(Outcome.BOUNDED, Decimal(10), "10 USD"),
    )
    return replace(ready, **given)  # type: ignore[arg-type]


def gap(control: str, status: Status = Status.MISSING, domain: str = "spend") -> Gap:
    return Gap(control, f"Title of {control}", domain, "blocking", status, waived=False)


BAD = deployment(
    "bad.yaml",
    verdict=Verdict.NOT_READY,
    code=ExitCode.GATE_NOT_MET,
    reason="spend fails",
    score=Fraction(1, 3),
    domains=(Domain("spend", "Spend", Verdict.NOT_READY), Domain("audit", "Audit", Verdict.READY)),
    gaps=(gap("SPEND-01"), gap("SPEND-02", Status.UNTESTED)),
    exposure=Exposed(Outcome.UNBOUNDED, None, "unbounded"),
)
UNSURE = deployment(
    "unsure.yaml",
    verdict=Verdict.INCOMPLETE,
    code=ExitCode.CANNOT_ASSESS,
    reason="the evidence does not suffice",
    gaps=(gap("SPEND-01", Status.UNKNOWN),),
    exposure=Exposed(Outcome.STOPPED, Decimal(5), "over 5 USD"),
    owners=("M. Lindqvist",),
)
BROKEN = Failed("broken.yaml", ExitCode.USAGE, ("broken.yaml:3:1: is not a manifest",))


def of(*found: Deployment | Failed, selection: Selection = Selection(), within: int = 30) -> Portfolio:  # noqa: B008
    return portfolio(found, AS_OF, within_days=within, selection=selection, tool="psf-audit test")


def test_the_worst_comes_first_whatever_the_order() -> None:
    dear = deployment("dear.yaml", exposure=Exposed(Outcome.BOUNDED, Decimal(99), "99 USD"))
    worst = [one.path for one in of(deployment(), UNSURE, BAD, dear).deployments]
    assert worst == ["bad.yaml", "unsure.yaml", "dear.yaml", "a.yaml"]
    assert of(dear, BAD, deployment(), UNSURE) == of(deployment(), UNSURE, BAD, dear)


def test_what_is_unbounded_never_counts_as_nothing() -> None:
    none = deployment("none.yaml", exposure=None)
    sums = of(deployment(), deployment("b.yaml"), BAD, UNSURE, none).sums
    assert (sums.bounded, sums.total, sums.largest) == (2, Decimal(20), ("a.yaml", Decimal(10)))
    assert (sums.unbounded, sums.stopped, sums.unknown, sums.not_computed) == (1, 1, 0, 1)
    assert wire.to_json(of(BAD), ())["exposure"]["total_usd"] is None


def test_common_gaps_are_counted_by_deployment() -> None:
    first, second = of(BAD, UNSURE).common
    assert (first.control, first.count, first.by_status) == (
        "SPEND-01", 2, ((Status.MISSING, 1), (Status.UNKNOWN, 1)),
    )  # fmt: skip
    assert (second.control, second.count) == ("SPEND-02", 1)


def test_what_runs_out_is_told_the_first_first() -> None:
    late = deployment("late.yaml", ends=(Ends(date(2026, 12, 22), "late"), Ends(date(2026, 12, 23), "later")))
    soon = deployment("soon.yaml", ends=(Ends(date(2026, 11, 1), "ran out"),))
    assert [ends.what for _, ends in of(late, soon).ending] == ["ran out", "late"]


@pytest.mark.parametrize(
    ("selection", "chosen"),
    [
        (Selection(owners=("m. lindqvist",)), ["unsure.yaml"]),
        (Selection(rubrics=("small",)), ["bad.yaml", "unsure.yaml", "a.yaml"]),
        (Selection(rubrics=("small@1.0.0",)), ["bad.yaml", "unsure.yaml", "a.yaml"]),
        (Selection(rubrics=("small@1",)), []),
        (Selection(environments=("staging",)), []),
        (Selection(owners=("R. Okafor",), environments=("production", "x")), ["bad.yaml", "a.yaml"]),
        (Selection(domains=("nothing",)), []),
    ],
)
def test_filters(selection: Selection, chosen: list[str]) -> None:
    found = of(deployment(), BAD, UNSURE, BROKEN, selection=selection)
    assert [one.path for one in found.deployments] == chosen
    assert found.left_out == 3 - len(chosen)
    assert found.failed == (BROKEN,), "nobody can tell whose it is"
    assert decide(found).code is not ExitCode.READY


def test_a_domain_is_judged_alone() -> None:
    found = of(deployment(), BAD, selection=Selection(domains=("audit",)))
    assert [one.verdict for one in found.deployments] == [Verdict.READY] * 2
    assert (found.common, decide(found).code) == ((), ExitCode.READY)
    unread = of(replace(BAD, unread=True), selection=Selection(domains=("audit",)))
    assert decide(unread).code is ExitCode.CANNOT_ASSESS
    assert decide(of(BAD, selection=Selection(domains=("spend",)))).code is ExitCode.GATE_NOT_MET


@pytest.mark.parametrize(
    ("found", "fail_on", "code"),
    [
        ((), (), 3),
        ((deployment(),), (), 0),
        ((deployment(), UNSURE), (), 3),
        ((deployment(), UNSURE, BAD), (), 1),
        ((deployment(), BROKEN), (), 2),
        ((UNSURE, BROKEN), (), 2),
        ((UNSURE, BROKEN, Failed("x", ExitCode.BUG, ("a bug",))), (), 70),
        ((BAD, BROKEN, Failed("x", ExitCode.BUG, ("a bug",))), (), 1),
        ((BAD,), (FailOn.INCOMPLETE,), 0),
        ((BAD, UNSURE), (FailOn.INCOMPLETE,), 3),
        ((BAD, UNSURE), (FailOn.NOT_READY, FailOn.INCOMPLETE), 1),
        ((BAD,), (FailOn.UNBOUNDED,), 1),
        ((deployment(exposure=None),), (FailOn.UNBOUNDED,), 1),
        ((deployment(),), (FailOn.EXPIRING,), 0),
        ((deployment(valid_until=date(2026, 12, 1)),), (FailOn.EXPIRING,), 1),
        ((deployment(valid_until=None),), (FailOn.EXPIRING,), 1),
        ((deployment(unread=True),), (FailOn.EXPIRING,), 3),
        ((deployment(), BROKEN), (FailOn.EXPIRING,), 2),
    ],
)
def test_the_gate(found: tuple[Deployment | Failed, ...], fail_on: tuple[FailOn, ...], code: int) -> None:
    assert decide(of(*found), fail_on).code == code


@given(
    st.lists(st.sampled_from([deployment(), BAD, UNSURE, BROKEN, Failed("y", ExitCode.CANNOT_ASSESS, ("gone",))])),
    st.sets(st.sampled_from(FailOn)),
)
def test_what_could_not_be_assessed_never_passes(found: list[Deployment | Failed], fail_on: set[FailOn]) -> None:
    if not found or any(isinstance(one, Failed) for one in found):
        assert decide(of(*found), fail_on).code is not ExitCode.READY


@pytest.mark.parametrize("name", ["small", "ready", "large"])
def test_a_summary_survives_the_cache(name: str) -> None:
    one = summary("x.yaml", getattr(samples, name)())
    assert wire.deployment_in(parse_json(json.dumps(wire.deployment_out(one)))) == one


def test_the_document_fits_its_schema() -> None:
    found = of(summary("x.yaml", samples.large()), deployment(reports=("a.html",)), BAD, UNSURE, BROKEN)
    for asked in ((), tuple(FailOn)):
        text = wire.json_text(found, asked)
        assert problems(parse_yaml(text), schemas.load("fleet"), "fleet.json") == []


WIDE = chr(0xFF1D)  # the equals sign in full width
HOSTILE = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    f"{WIDE}1",
    " =1",
    '"=1',
    "a\r\n=1",
    "</script><b>",
    "[x](javascript:y)",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_cell_is_a_formula(text: str) -> None:
    found = of(deployment(name=text, owners=(text,), reason=text), Failed(text, ExitCode.USAGE, (text,)))
    for row in reader.reader(io.StringIO(csv.text(found))):
        assert len(row) == len(csv.HEADER)
        assert not [cell for cell in row if cell.lstrip().startswith(("=", "+", "-", "@", WIDE))], row


@pytest.mark.parametrize("form", FORMS)
def test_every_form_tells_of_every_deployment_and_failure(form: str) -> None:
    text = FORMS[form](of(deployment(), BAD, UNSURE, BROKEN))
    for name in ("bad", "unsure", "broken"):
        assert name in text
    assert FORMS[form](of()), "nothing found is a portfolio too"


def test_links_lead_to_the_reports_and_nowhere_else() -> None:
    found = of(deployment(reports=("a b)//x.html",)))
    assert "(./reports/a%20b%29//x.html)" in FORMS["markdown"](found)
    assert 'href="./reports/a%20b%29//x.html"' in FORMS["html"](found)
