"""The page of a replay: whole, inert, and with every number of its pictures in a table."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from psf_audit import pictures
from psf_audit.amounts import clock, money
from psf_audit.cli import main
from psf_audit.illustrations import UNDRAWN
from psf_audit.rendering import View
from psf_audit.replay import forms, grammar, html, run, wire
from psf_audit.replay.story import Replay
from tests.goldens import undrawn
from tests.report.test_html import Page, tables

FLAGS = [
    ("--limit", "100usd/session"), ("--gate", "30m"), ("--rate", "60/min"), ("--limit", "10..1000usd/session"),
    ("--limit", "500usd/day,lag=8h"),
]  # fmt: skip


def replayed(log: Path, *flags: tuple[str, str]) -> Replay:
    return run.run([log], run.Options(as_of=date(2026, 11, 20), guardrails=tuple(grammar.guardrails(flags))))


@pytest.fixture(scope="module")
def dn42() -> Replay:
    return replayed(Path(__file__).resolve().parents[2] / "samples" / "dn42" / "evidence" / "actions.jsonl", *FLAGS)


def test_nothing_in_it_acts_and_every_picture_has_words(dn42: Replay) -> None:
    page = Page(html.text(dn42, View()))
    assert [script["type"] for script in page.all("script")] == ["application/json", "application/json"]
    for _, attributes in page.elements:
        assert not {"style", "src", "onload", "srcdoc"} & attributes.keys()
        assert str(attributes.get("href", "#")).startswith(("#", "data:,"))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    named = [str(svg["aria-labelledby"]) for svg in page.all("svg") if svg.get("class") == "picture"]
    assert named == ["spend-title spend-desc", "sweep-0-title sweep-0-desc"]


def test_the_replay_is_embedded_as_it_is(dn42: Replay) -> None:
    (block,) = re.findall(r'id="psf-replay">(.*?)</script>', html.text(dn42, View()), re.DOTALL)
    assert json.loads(block) == json.loads(json.dumps(wire.to_json(dn42)))


def test_every_number_of_a_picture_stands_in_a_table(dn42: Replay) -> None:
    found = tables(html.text(dn42, View()))
    assert dn42.line is not None
    spent = found["What had been spent, in USD, by moments (UTC)"]
    assert len(spent) == 49
    assert spent[0] == [clock(dn42.line.start), money(dn42.line.spent[0])]
    assert spent[-1] == [clock(dn42.line.end), "6,531.30"]
    assert spent == [list(row) for row in html.spent_rows(dn42.line)]
    assert [row[1] for row in found["What happened along the way"]] == ["2", "4", "4", "2", "1"]
    acted = found["Each guardrail that would have acted, the first to act first"]
    assert acted == [list(row) for row in forms.table(dn42)[1:]]
    assert len(acted) == 4
    assert found["Saved against interrupted"] == [list(row) for row in forms.sweeps(dn42)[0][1]]


def test_a_ceiling_is_a_line_where_all_spend_counts_against_it(dn42: Replay, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[pictures.Spend] = []

    def keep(_name: str, _title: str, _description: str, picture: pictures.Spend) -> str:
        drawn.append(picture)
        return ""

    monkeypatch.setattr(pictures, "spend", keep)
    html.text(dn42, View())
    (picture,) = drawn
    assert dict(picture.ceilings) == {"100 USD a session": 100}
    assert [letter for letter, _ in picture.stops] == ["a", "b", "c"]


def test_without_money_or_marks_there_is_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"at": "2026-05-09T15:47:00Z", "kind": "action", "actor_kind": "agent", "run": "r"}\n')
    text = html.text(replayed(path), View())
    assert UNDRAWN in text
    assert 'class="picture"' not in text


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    event = {
        "at": "2026-05-09T15:47:00Z",
        "kind": "action",
        "actor_kind": "agent",
        "run": "<b>$x_1$</b>",
        "cost_usd": 3,
    }
    path.write_text(
        "".join(json.dumps(event | {"id": str(number), "name": "</svg><script>"}) + "\n" for number in "12")
    )
    text = html.text(replayed(path, ("--limit", "1usd/run"), ("--limit", "1..5usd/run")), View())
    assert text.count("<script") == 2
    assert "<b>$" not in text
    assert "</svg><script>" not in text


def test_the_page_is_as_it_was(dn42: Replay, golden: Callable[[str, str], None]) -> None:
    text = undrawn(html.text(dn42, View()))
    where = re.escape(str(Path(__file__).resolve().parents[2])) + "/"
    body = re.sub(r"<style>.*?</style>|<script.*?</script>|<meta[^>]*>", "", text, flags=re.DOTALL)
    golden("replay/dn42.html", re.sub(where, "", body))


def test_the_command_writes_it(tmp_path: Path, repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, page = repo / "samples" / "dn42" / "evidence" / "actions.jsonl", tmp_path / "page.html"
    given = ["replay", str(log), "--limit", "100usd/session", "--as-of", "2026-11-20"]
    assert main.run([*given, "-o", f"html={page}", "-o", f"json={tmp_path / 'replay.json'}"]) == 0
    assert "6,531.30 USD" in capsys.readouterr().out
    assert main.run([*given, "-f", "html"]) == 0
    assert capsys.readouterr().out == page.read_text()
    assert json.loads((tmp_path / "replay.json").read_text())["schema"] == "psf-audit/replay/1"
