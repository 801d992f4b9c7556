"""`psf-audit replay`: the story of the DN42 log, and what the command does with what it is given."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from psf_audit import schemas
from psf_audit.rendering import View
from psf_audit.replay import grammar, run, terminal
from tests import commands

DN42 = Path("samples/dn42/evidence/actions.jsonl")
AS_OF = ("--as-of", "2026-11-20")
STORY = (
    *("--limit", "100usd/session", "--gate", "30m", "--limit", "1repeats/run", "--limit", "500usd/day,lag=8h"),
    *("--rate", "60/min"),
)


@pytest.fixture(autouse=True)
def _in_the_checkout(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repo)


def said(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> tuple[str, str]:
    """Standard output and standard error of a replay that exits with this code."""
    return commands.said(capsys, code, "replay", *arguments)


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """The JSON of a replay, held against its schema."""
    value: dict[str, Any] = json.loads(said(capsys, 0, *arguments, *AS_OF, "-f", "json")[0])
    assert [error.message for error in Draft202012Validator(schemas.load("replay")).iter_errors(value)] == []
    return value


# ----------------------------------------------------------------------------------------------------------- the story


def test_the_story_of_dn42(capsys: pytest.CaptureFixture[str]) -> None:
    """Worked out by hand: 26 stacks of 13.464 USD an hour, half an hour apart from 21:45, and 288.49 at the end.

    At 00:14 five of them have run 149, 119, 89, 59 and 29 minutes: 445 minutes, 99.86 USD; seven seconds later it is
    100. At 22:15 the first has run for 30 of its 1,445 minutes: 324.26 / 1445 * 30 = 6.73. At 00:20 somebody wrote
    "continue": had they been asked, as much would have been spent again before the next stop.
    """
    told = document(capsys, str(DN42), *STORY)
    assert told["log"]["spent_usd"] == "6531.3"
    by = {guardrail["words"]: guardrail for guardrail in told["guardrails"]}

    ceiling = by["100 USD a session"]
    assert ceiling["at"] is not None
    assert ceiling["at"].startswith("2026-05-10T00:14:0")
    assert round(Decimal(ceiling["spent_usd"]), 2) == 100
    assert (ceiling["times"], round(Decimal(ceiling["saved_usd"]), 2)) == (2, Decimal("6331.30"))
    assert round(Decimal(ceiling["if_nobody_answers"]["saved_usd"]), 2) == Decimal("6431.30")
    assert ceiling["listed"][0]["first_calls"][0] == f"{DN42} line 15"

    gate = by["30 min without a person"]
    assert (gate["at"], gate["times"]) == ("2026-05-09T22:15:00Z", 2)
    assert round(Decimal(gate["spent_usd"]), 2) == Decimal("6.73")
    # What ran was stopped. Let go on at 00:20, it works again at 00:25 and creates a stack at 00:45, which costs 22.44
    # cents a minute until it has to ask again at 00:55.
    spent = Decimal("324.26") / 1445 * 30 + Decimal("13.464") / 6
    assert abs(Decimal(gate["would_cost_usd"]) - spent) < Decimal("0.01")
    assert Decimal(gate["if_nobody_answers"]["saved_usd"]) > Decimal(gate["saved_usd"])

    again = by["1 of the same call a run"]
    assert again["at"] == "2026-05-09T22:15:00Z"
    # The first stack alone, had nothing stopped it too: 324.26, as if creating had been idempotent.
    assert Decimal(again["spent_usd"]) + Decimal(again["running_usd"]) == Decimal("324.26")

    assert by["60 requests a minute in all"]["at"] is None
    assert told["together"]["by"] in {"30 min without a person", "1 of the same call a run"}
    for guardrail in told["guardrails"]:
        parts = [Decimal(guardrail[name]) for name in ("would_cost_usd", "saved_usd", "interrupted_usd")]
        assert sum(parts) == Decimal("6531.3")


def test_what_the_dn42_log_shows(capsys: pytest.CaptureFixture[str]) -> None:
    told = document(capsys, str(DN42))
    found = {finding["id"]: finding["count"] for finding in told["findings"]}
    assert found == {
        "approved-unread": 2,
        "standing-approval": 2,
        "created-again": 1,
        "ignored": 3,
        "unattributed": 1,
    }
    assert told["guardrails"] == []
    assert told["together"] is None


def test_the_story_fits_on_a_screen(capsys: pytest.CaptureFixture[str], golden: Callable[[str, str], None]) -> None:
    out = said(capsys, 0, str(DN42), *STORY, *AS_OF)[0]
    golden("replay/dn42.txt", out)
    assert max(map(len, out.splitlines())) <= 100


def test_the_story_fits_on_the_smallest_screen(golden: Callable[[str, str], None]) -> None:
    flags = [(STORY[index], STORY[index + 1]) for index in range(0, len(STORY), 2)]
    replay = run.run([DN42], run.Options(as_of=date(2026, 11, 20), guardrails=tuple(grammar.guardrails(flags))))
    out = terminal.text(replay, View(width=80, color=False))
    golden("replay/dn42-80.txt", out)
    assert len(out.splitlines()) <= 24
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("width", [80, 100])
def test_with_three_guardrails_it_fits_on_a_small_one(width: int) -> None:
    flags = [("--limit", "100usd/session"), ("--gate", "30m")]
    replay = run.run([DN42], run.Options(as_of=date(2026, 11, 20), guardrails=tuple(grammar.guardrails(flags))))
    lines = terminal.text(replay, View(width=width, color=False)).splitlines()
    assert len(lines) <= 22
    assert max(map(len, lines)) <= width
    coloured = terminal.text(replay, View(width=width, color=True))
    assert "\x1b[31m" in coloured


def test_a_sweep_shows_saved_against_interrupted(
    capsys: pytest.CaptureFixture[str], golden: Callable[[str, str], None]
) -> None:
    manifest = "samples/guarded/manifest.yaml"
    flags = ("--limit", "0.1..5usd/session")
    golden("replay/guarded-sweep.txt", said(capsys, 0, "--manifest", manifest, *flags, *AS_OF)[0])
    told = document(capsys, "--manifest", manifest, *flags)
    swept = [guardrail for guardrail in told["guardrails"] if guardrail["sweep"] is not None]
    assert [each["stops"] for each in swept] == sorted((each["stops"] for each in swept), reverse=True)
    assert swept[0]["false_stops"] > 0
    assert swept[-1]["stops"] == 0
    # What the guarded agent runs behind never stopped it: its own log says that it stayed within all of it.
    assert {each["at"] for each in told["guardrails"] if each["sweep"] is None} == {None}
    assert told["untried"]


def test_markdown(capsys: pytest.CaptureFixture[str], golden: Callable[[str, str], None]) -> None:
    flags = ("--limit", "10..1000usd/session", "--allow", "forge.*,irc.join")
    golden("replay/dn42.md", said(capsys, 0, str(DN42), *STORY, *flags, *AS_OF, "-f", "markdown")[0])


def test_a_manifest_brings_its_logs_guardrails_and_records(capsys: pytest.CaptureFixture[str]) -> None:
    told = document(capsys, "--manifest", "samples/dn42/manifest.yaml", "--gate", "1h")
    assert [log["path"] for log in told["logs"]] == ["evidence/actions.jsonl"]
    assert told["log"]["unpriced_calls"] == 0, "the manifest says which calls are free"
    # Its only gate stands in a prompt.
    assert [guardrail["origin"] for guardrail in told["guardrails"]] == ["--gate 1h"]
    assert "unapproved" in {finding["id"] for finding in told["findings"]}
    named = document(capsys, str(DN42), "--manifest", "samples/dn42/manifest.yaml", "--gate", "1h")
    assert [log["path"] for log in named["logs"]] == [str(DN42)]
    assert named["log"] == told["log"]


def test_a_log_named_twice_counts_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert document(capsys, str(DN42), str(DN42))["log"]["events"] == 52


# ------------------------------------------------------------------------------------------------------------- its use


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "there is no log to replay"),
        ((str(DN42), "-f", "pdf"), 2, "known: terminal, markdown, html, json"),
        ((str(DN42), "-o", "page.html"), 2, "is not FORMAT=PATH"),
        ((str(DN42), "-o", f"html={DN42}"), 2, "would overwrite an input"),
        ((str(DN42), "--limit", "100"), 2, "--limit '100', character 4"),
        ((str(DN42), "--as-of", "soon"), 2, "YYYY-MM-DD"),
        ((str(DN42), "--engine", "abacus"), 2, "there is no engine"),
        ((str(DN42), "--manifest", "nowhere.yaml"), 2, "nowhere.yaml"),
        (("nowhere.jsonl",), 3, "nowhere.jsonl does not exist"),
        (("README.md",), 3, "holds no event"),
        (("pyproject.toml",), 3, "pyproject.toml"),
        ((str(DN42), "--as-of", "2026-01-01"), 3, "no event to replay; 52 undated or dated after"),
    ],
)
def test_what_cannot_be_used_says_why(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, words: str
) -> None:
    out, err = said(capsys, code, *arguments)
    assert out == ""
    assert words in err


def test_a_log_without_money_has_no_picture(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"at": "2026-05-09T15:47:00+02:00", "kind": "action", "actor_kind": "agent", "run": "r"}\n')
    out = said(capsys, 0, str(path), "--limit", "1usd", *AS_OF)[0]
    assert "2026-05-09 13:47" in out
    assert "█" not in out
    assert "Never reached: 1 USD in all." in out
    assert "1 call has no cost" in out


def test_hostile_text_stays_text(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    event = {
        "at": "2026-05-09T15:47:00Z", "kind": "action", "actor_kind": "agent", "run": "r\x1b[31m", "session": "<b>|x",
        "name": "a", "target": "sk-abcdef0123456789", "args_digest": "d", "cost_usd": 3,
    }  # fmt: skip
    path.write_text("".join(json.dumps(event | {"id": str(number)}) + "\n" for number in range(6)))
    for format_ in ("terminal", "markdown", "json"):
        out = said(capsys, 0, str(path), "--limit", "1usd/session", "-f", format_, *AS_OF)[0]
        assert "\x1b" not in out
        assert "u001b" not in out
        assert "sk-abcdef" not in out
    assert "<b>" not in said(capsys, 0, str(path), "-f", "markdown", *AS_OF)[0]
