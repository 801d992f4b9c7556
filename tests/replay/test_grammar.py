"""What flags say of guardrails, and what is said of flags that say nothing."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psf_audit.errors import ConfigurationError
from psf_audit.replay.grammar import FLAGS, guardrails, series


def row(flag: str, text: str) -> dict[str, Any]:
    (guardrail,) = guardrails([(flag, text)])
    return dict(guardrail.row)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("100usd", {"resource": "usd", "amount": 100, "scope": "account"}),
        ("0.25usd/run", {"resource": "usd", "amount": Decimal("0.25"), "scope": "run"}),
        ("100usd/session/day", {"resource": "usd", "amount": 100, "scope": "session", "per_seconds": 86_400}),
        ("100usd/day/session", {"resource": "usd", "amount": 100, "scope": "session", "per_seconds": 86_400}),
        ("5usd/15m,lag=8h", {"amount": 5, "scope": "account", "per_seconds": 900, "lag_seconds": 28_800}),
        ("2h/run", {"resource": "seconds", "amount": 7_200, "scope": "run"}),
        ("3repeats/task,tool=cloud.*,via=aws", {"resource": "repeats", "like": "cloud.%", "via": "aws"}),
        ("9usd/run,on=alert", {"on_breach": "alert"}),
        ("9usd/day", {"aligned": True}),
        ("9usd/day,window=fixed", {"aligned": True}),
        ("9usd/day,window=sliding", {"aligned": False}),
    ],
)
def test_a_limit_becomes_a_row_of_limits(text: str, expected: dict[str, Any]) -> None:
    assert row("--limit", text).items() >= expected.items()


def test_a_rate_counts_calls_in_a_window_and_refuses_what_is_too_much() -> None:
    assert row("--rate", "60/min").items() >= {
        ("resource", "requests"), ("amount", 60), ("per_seconds", 60), ("scope", "account"), ("on_breach", "deny"),
    }  # fmt: skip
    assert row("--rate", "20actions/h/tool").items() >= {("resource", "actions"), ("scope", "tool")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30m", {"trigger": "interval", "threshold": 1800, "unit": "seconds"}),
        ("25actions", {"trigger": "interval", "threshold": 25, "unit": "actions"}),
        ("50usd", {"trigger": "spend", "threshold": 50, "unit": "usd"}),
        ("stop-request", {"trigger": "stop_request"}),
        ("tool=site.*", {"trigger": "action", "like": "site.%"}),
    ],
)
def test_a_gate_becomes_a_row_of_gates(text: str, expected: dict[str, Any]) -> None:
    assert row("--gate", text).items() >= {**expected, "effect": "interrupt", "on_timeout": "halt"}.items()


def test_lists_of_a_kind_are_one_guardrail() -> None:
    tools, targets = guardrails(
        [("--allow", "forge.*,irc.join"), ("--allow", "target=172.20.0.0/14"), ("--deny", "tool=forge.delete")]
    )
    assert [(row["effect"], row["pattern"]) for row in tools.rows] == [
        ("allow", "forge.*"),
        ("allow", "irc.join"),
        ("deny", "forge.delete"),
    ]
    assert targets.row["lo"] is not None
    assert tools.origin == "--allow forge.*,irc.join --deny tool=forge.delete"


def test_a_range_is_both_ends_and_one_two_five_between_them() -> None:
    assert series(Decimal(10), Decimal(1000)) == [10, 20, 50, 100, 200, 500, 1000]
    assert series(Decimal("0.3"), Decimal(3)) == [Decimal("0.3"), Decimal("0.5"), 1, 2, 3]
    found = guardrails([("--limit", "10..100usd/session")])
    assert [each.row["amount"] for each in found] == [10, 20, 50, 100]
    assert {each.sweep for each in found} == {"--limit 10..100usd/session"}
    assert [each.row["threshold"] for each in guardrails([("--gate", "10..60m")])] == [600, 1200, 3000, 3600]


@pytest.mark.parametrize(
    ("flag", "text", "where", "told", "hint"),
    [
        ("--limit", "", 1, "a number is expected", "such as 100usd/session"),
        ("--limit", "100", 4, "unit: nothing stands here", "usd, tokens"),
        ("--limit", "100 usd", 4, "unit: nothing stands here", "usd, tokens"),
        ("--limit", "-5usd", 1, "a number is expected", "such as"),
        ("--limit", "1e3usd", 2, "'e' is no unit", "usd"),
        ("--limit", "100usdd", 4, "did you mean `usd`?", "usd, tokens"),
        ("--limit", "100usd/sesion", 8, "did you mean `session`?", "account, agent"),
        ("--limit", "100usd/run/task", 12, "a second scope", "each of the two once"),
        ("--limit", "100usd/1.5s", 8, "is not whole seconds", "at least 1s"),
        ("--limit", "3repeats/run/day", 1, "not counted in windows", "without one"),
        ("--limit", "100usd/run,window=sliding", 12, "'window' is no option", "lag, via"),
        ("--limit", "100usd/day,window=big", 19, "'big' is no window", "fixed, sliding"),
        ("--limit", "100usd,lag=8", 12, "is no length of time", "15m"),
        ("--limit", "100usd,on=stop", 11, "'stop' is no effect", "deny, pause"),
        ("--limit", "100usd,lag=1h,lag=2h", 15, "lag twice", "once"),
        ("--limit", "100usd,tool=", 13, "a name is expected", "tool="),
        ("--limit", "100usd;x", 7, "';x' is left over", "nothing after it"),
        ("--limit", "1000000000usd", 1, "too large", "less than a billion"),
        ("--limit", "0.0000000001usd", 1, "too fine", "9 decimals"),
        ("--limit", "100usd/\u0661s", 8, "is no length of time", "15m"),
        ("--limit", "999999999d", 1, "too large", "less than a billion"),
        ("--limit", "1000..10usd", 1, "a range goes", "10..1000"),
        ("--limit", "0..10usd", 1, "a range goes", "10..1000"),
        ("--limit", "10..usd", 5, "a number is expected", "upper end"),
        ("--rate", "60", 3, "unit: nothing stands here", "requests"),
        ("--rate", "60/run", 3, "the window is missing", "60/min"),
        ("--rate", "60depth/min", 3, "'depth' is no unit", "requests"),
        ("--gate", "0m", 1, "would never let anything begin", "more than 0"),
        ("--gate", "tool=a,b", 6, "one pattern", "site.*"),
        ("--gate", "30m,lag=1h", 5, "'lag' is no option", "via, tool"),
        ("--allow", "a,,b", 3, "a pattern is expected", "forge.*"),
        ("--deny", "targt=a", 1, "is no pattern", "tool= or target="),
    ],
)
def test_a_flag_that_says_nothing_is_refused_with_the_place_and_what_to_write(
    flag: str, text: str, where: int, told: str, hint: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        guardrails([(flag, text)])
    assert caught.value.message.startswith(f"{flag} {text!r}, character {where}: ")
    assert told in caught.value.message
    assert hint in (caught.value.hint or "")


def test_a_range_has_a_bound() -> None:
    with pytest.raises(ConfigurationError, match="steps"):
        guardrails([("--limit", "0.000000001..999999999usd")])


@given(flag=st.sampled_from(FLAGS), text=st.text("0123456789.usdtokenrmhi/,=*|-x ", max_size=24))
def test_any_text_is_guardrails_or_an_error(flag: str, text: str) -> None:
    hint: str | None = "none needed"
    try:
        assert all(each.words for each in guardrails([(flag, text)]))
    except ConfigurationError as error:
        hint = error.hint
    assert hint
