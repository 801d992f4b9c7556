import hashlib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psf_audit.artifact import Artifact
from psf_audit.errors import Unreadable
from psf_audit.evidence.document import DOCUMENT
from psf_audit.facts.model import Fact, Gap, Item, Remark
from psf_audit.facts.store import typed

FIXTURES = Path(__file__).parent / "fixtures" / "document"


def artifact(data: bytes, path: str = "docs/runbook.md") -> Artifact:
    return Artifact(path, data, hashlib.sha256(data).hexdigest())


def read(text: str) -> tuple[list[dict[str, Any]], list[Gap]]:
    items: list[Item] = list(DOCUMENT.read(artifact(text.encode())))
    facts = [dict(item.values) for item in items if isinstance(item, Fact)]
    return facts, [item for item in items if isinstance(item, Gap)]


def test_a_document_is_one_fact_a_control() -> None:
    items = list(DOCUMENT.read(artifact((FIXTURES / "runbook.md").read_bytes())))
    values: dict[str, Any] = {
        "kind": "runbook",
        "title": "Stopping the agent",
        "owner": "R. Okafor",
        "reviewed_ms": 1794268800000,
    }
    day = date(2026, 11, 10)
    assert items == [
        Fact("documents", "line 7", {**values, "control": "CHECK-01"}, "document", day),
        Fact("documents", "line 8", {**values, "control": "SPEND-04"}, "document", day),
    ]


@pytest.mark.parametrize(
    "text", ["", "# Title\n", "---\nowner: a\n", "text\n---\nowner: a\n---\n", "---\n---\n", "---\nhi\n---\n"]
)
def test_without_front_matter_there_is_a_remark_and_no_fact(text: str) -> None:
    (remark,) = DOCUMENT.read(artifact(text.encode()))
    assert isinstance(remark, Remark)
    assert "no front matter" in remark.what


def test_what_cannot_be_used_is_a_gap_with_its_line() -> None:
    facts, gaps = read("---\nowner: [a]\nreviewed: last week\ncontrols: 3\n---\n# T\n")
    assert facts == [{"kind": None, "title": "T", "owner": None, "reviewed_ms": None, "control": None}]
    assert [gap.pointer for gap in gaps] == ["line 3", "line 2", "line 4"]


def test_a_date_in_the_future_is_kept_for_the_store_to_judge() -> None:
    (fact,) = DOCUMENT.read(artifact(b"---\nreviewed: 2090-01-01\n---\n"))
    assert isinstance(fact, Fact)
    assert fact.on == date(2090, 1, 1)


@pytest.mark.parametrize(
    ("controls", "expected"), [("A-01, B-02", ["A-01", "B-02"]), ("[A-01, A-01]", ["A-01"]), ("", [None])]
)
def test_controls_may_be_a_list_or_text(controls: str, expected: list[str | None]) -> None:
    facts, gaps = read(f"---\nowner: a\ncontrols: {controls}\n---\n")
    assert [fact["control"] for fact in facts] == expected
    assert gaps == []


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("~~~\n# code\n```\n# code\n~~~~\n# Title", "Title"),
        ("```\n# code", "front"),
        ("#hashtag\n####### seven\n### C#", "C#"),
        ("    # code", "front"),
    ],
)
def test_the_title_is_the_first_heading_or_that_of_the_front_matter(text: str, title: str) -> None:
    facts, _ = read(f"---\ntitle: front\n---\n{text}\n")
    assert facts[0]["title"] == title


def test_front_matter_that_is_not_yaml_is_unreadable_at_its_line() -> None:
    with pytest.raises(Unreadable) as caught:
        read("---\nowner: a\nowner: b\n---\n")
    assert caught.value.line == 3


@pytest.mark.parametrize(
    ("path", "ours"), [("a/README.MD", True), ("a.markdown", True), ("a.txt", False), ("md", False)]
)
def test_it_is_recognised_by_its_suffix(path: str, ours: bool) -> None:
    assert DOCUMENT.sniff(artifact(b"# T", path)) is ours


def test_a_real_runbook_names_no_control(repo: Path) -> None:
    path = repo.parent / "shared" / "corpus" / "readiness" / "runbook_agent_sre.md"
    if not path.is_file():
        pytest.skip("the corpus is not part of the checkout")
    items = list(DOCUMENT.read(artifact(path.read_bytes())))
    assert [type(item) for item in items] == [Remark]


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_read_or_unreadable(front: str, text: str) -> None:
    try:
        items = list(DOCUMENT.read(artifact(f"---\n{front}\n---\n{text}".encode("utf-8", "surrogatepass"))))
    except Unreadable:
        return
    for item in items:
        if isinstance(item, Fact):
            typed(item.table, item.values)


@given(
    st.dictionaries(
        st.sampled_from(["owner", "reviewed", "controls", "kind", "title"]),
        st.sampled_from(["1", "[1]", "{a: 1}", "true", "null", "2026-11-10", "[[]]", "''", "' '", "1e5"]),
    )
)
def test_values_of_wrong_types_never_break_it(front: dict[str, str]) -> None:
    lines = "\n".join(f"{key}: {value}" for key, value in front.items())
    facts, _ = read(f"---\n{lines}\n---\n")
    for fact in facts:
        typed("documents", fact)
