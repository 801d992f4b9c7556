from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from psf_audit.changes import Change, Direction
from psf_audit.composition import Composition
from psf_audit.errors import ConfigurationError, ExitCode
from psf_audit.model import Assessment, Expiry, Rest, Severity, Status
from psf_audit.standing import Current, FailOn, RunsOut, Standing, State, decide, standing_of
from tests import samples
from tests.samples import AS_OF, source

LAST = AS_OF + timedelta(days=20)
EVIDENCE = Expiry(LAST, Rest.EVIDENCE, "a ceiling", source("config/gateway.yaml"))
DRILL = Expiry(AS_OF + timedelta(days=60), Rest.TEST, "test_pause", source("evidence/drills.xml"))
LOG = Expiry(AS_OF + timedelta(days=5), Rest.LOG, "a log", source("evidence/calls.jsonl"))
MADE_OF = Composition(targets=("10.0.0.0/24",))


def ready(**given: Any) -> Assessment:
    """A ready assessment: one blocking control in each domain, demonstrated."""
    ids = ("SPEND-01", "CHECK-01", "BOUND-01", "AUDIT-01", "READY-01")
    controls = [
        samples.control(id_, id_, Severity.BLOCKING, Status.DEMONSTRATED, "ok", expiries=(EVIDENCE, DRILL, LOG))
        for id_ in ids
    ]
    read = tuple(entry for entry in samples.EVIDENCE if entry.readable)
    return samples.assessment(controls, **{"valid_until": LAST, "composition": MADE_OF, "evidence": read, **given})


def current(made: Assessment, **given: Any) -> Current:
    deployment = replace(made.deployment, **given.pop("deployment", {}))
    return Current(deployment, **{"fingerprint": made.fingerprint, "composition": MADE_OF, **given})


def asked(made: Assessment, days: int = 0, *, within: int = 10, **given: Any) -> Standing:
    return standing_of(made, AS_OF + timedelta(days=days), within_days=within, **given)


@pytest.mark.parametrize(
    ("days", "state"),
    [(0, State.VALID), (9, State.VALID), (10, State.EXPIRING), (20, State.EXPIRING), (21, State.EXPIRED)],
)
def test_it_stands_up_to_and_including_its_last_day(days: int, state: State) -> None:
    assert asked(ready(), days).state is state


def test_what_ran_out_is_told_by_file_with_every_control_that_rests_on_it() -> None:
    found = asked(ready(), 21)
    controls = ("AUDIT-01", "BOUND-01", "CHECK-01", "READY-01", "SPEND-01")
    assert found.ran_out == (RunsOut(LAST, Rest.EVIDENCE, "config/gateway.yaml", ("a ceiling",), controls),)
    assert found.runs_out == ()
    assert [one.path for one in found.reread] == ["evidence/calls.jsonl"]
    assert decide(found).code is ExitCode.GATE_NOT_MET
    assert decide(found).reason == (
        f"expired: config/gateway.yaml, as evidence (a ceiling), until {LAST}: AUDIT-01, BOUND-01, CHECK-01 and 2 more"
    )


def test_a_log_never_expires() -> None:
    found = asked(ready(), 6)
    assert found.state is State.VALID
    assert len(found.reread) == 1


def test_without_a_manifest_nobody_can_tell_whether_it_changed() -> None:
    assert not asked(ready()).compared
    assert asked(ready(), current=current(ready())).compared
    assert asked(ready(), current=current(ready())).state is State.VALID


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"fingerprint": "f" * 64}, "its fingerprint is another one: what it is made of changed"),
        ({"deployment": {"release": "9.0"}}, "release 2.4.0 was assessed, and this is 9.0"),
        ({"deployment": {"environment": "staging"}}, "it was assessed for production, and this is staging"),
    ],
)
def test_another_deployment_voids_it_even_where_everything_is_fresh(given: dict[str, Any], why: str) -> None:
    found = asked(ready(), current=current(ready(), **given))
    assert (found.state, found.voided) == (State.VOID, (why,))
    assert decide(found).code is ExitCode.GATE_NOT_MET
    assert why in decide(found).reason


def test_what_changed_is_said_in_words() -> None:
    wider = current(ready(), fingerprint="f" * 64, composition=Composition(targets=("10.0.0.0/8",)))
    found = asked(ready(), current=wider)
    assert found.changes == (Change("scope", "targets widened from 10.0.0.0/24 to 10.0.0.0/8", Direction.RISKIER),)


def test_a_change_that_no_words_are_kept_of_is_not_hidden() -> None:
    (change,) = asked(ready(), current=current(ready(), fingerprint="f" * 64)).changes
    assert (change.what, change.direction) == ("something that is not kept in words, such as a secret", Direction.LOOK)


def test_of_an_assessment_by_an_earlier_version_the_names_are_compared() -> None:
    made = ready(composition=None)
    now = current(made, fingerprint="f" * 64, deployment={"capabilities": (*made.deployment.capabilities, "sh.run")})
    assert Change("tool", "new tool sh.run", Direction.RISKIER) in asked(made, current=now).changes


def test_it_never_passes_where_its_own_gate_does_not() -> None:
    failing = samples.control("SPEND-01", "Ceiling", Severity.BLOCKING, Status.MISSING, "no", expiries=(EVIDENCE,))
    made = samples.assessment([failing], valid_until=LAST)
    assert asked(made).state is State.VALID
    assert decide(asked(made)).code is ExitCode.GATE_NOT_MET


def test_what_holds_for_no_day_has_expired() -> None:
    found = asked(ready(valid_until=None))
    assert (found.state, found.days_left) == (State.EXPIRED, None)
    assert decide(found).reason == "expired: it holds for no day, for it found no evidence that it could rest on"


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (ready(valid_until=AS_OF), "the longest that any assessment holds"),
        (
            samples.assessment(
                [samples.control("SPEND-01", "x", Severity.HIGH, Status.MISSING, "no")], valid_until=AS_OF
            ),
            "for what, the version that wrote it did not keep",
        ),
    ],
)
def test_a_day_that_nothing_kept_explains_is_told_as_such(made: Assessment, why: str) -> None:
    assert decide(asked(made, 1)).reason == f"expired: on {AS_OF}, {why}"


def test_a_waiver_that_runs_out_opens_its_gap() -> None:
    uses = tuple(
        samples.waiver(id_, state, "", expires="2026-11-30") for id_, state in (("A", "matched"), ("B", "unused"))
    )
    made = ready(waivers=uses, valid_until=date(2026, 11, 30))
    assert [waiver.control for waiver in asked(made).waivers] == ["A"]
    assert asked(made).fell_open == ()
    assert asked(made, within=3).waivers == ()
    assert "the waiver of A on 2026-11-30" in decide(asked(made, 9)).reason


def test_what_is_expiring_or_superseded_fails_where_that_is_asked() -> None:
    found = asked(ready(), 15, newest="1.10.0")
    assert found.superseded_by == "1.10.0"
    assert decide(found).code is ExitCode.READY
    assert decide(found, [FailOn.EXPIRING]).reason.startswith("expiring: it stands until")
    assert decide(found, [FailOn.SUPERSEDED]).reason == (
        f"superseded: it was judged by psf-agentic {ready().rubric.version}, and there is 1.10.0"
    )
    assert asked(ready(), newest=ready().rubric.version).superseded_by is None


def test_a_day_before_the_assessment_and_another_deployment_are_mistakes() -> None:
    with pytest.raises(ConfigurationError, match="the assessment is of 2026-11-22, after 2026-11-21"):
        asked(ready(), -1)
    with pytest.raises(ConfigurationError, match="the manifest describes other"):
        asked(ready(), current=current(ready(), deployment={"name": "other"}))
