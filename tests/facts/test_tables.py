"""The tables and views as data: what stands in one place must be whole, and the documentation must show it."""

import re
from pathlib import Path

import pytest

from psf_audit.facts.tables import COMMON, EVENT_KINDS, LAYERS, TABLES, Table
from psf_audit.facts.views import View, views
from tests.tables import session


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_column_has_a_name_of_its_own_and_a_meaning(table: Table) -> None:
    names = [column.name for column in table.columns]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names)
    assert table.meaning
    assert all(column.meaning for column in table.columns)
    assert all(len(set(column.choices)) == len(column.choices) for column in table.columns)
    assert (table.columns[: len(COMMON)] == COMMON) is table.facts


def test_a_column_is_found_by_its_name() -> None:
    assert TABLES["limits"].column("layer").choices == LAYERS
    assert TABLES["events"].column("kind").choices == EVENT_KINDS
    with pytest.raises(KeyError, match=r"limits\.nothing"):
        TABLES["limits"].column("nothing")


def test_no_view_has_the_name_of_a_table() -> None:
    names = [view.name for view in views()]
    assert len(set(names)) == len(names)
    assert not set(names) & TABLES.keys()


@pytest.mark.parametrize("view", views(), ids=lambda view: view.name)
def test_every_view_can_be_made_of_nothing(view: View) -> None:
    with session() as opened:
        assert opened.ask(f"SELECT 1 AS x FROM {view.name}", {}).failure is None  # noqa: S608  a name of ours
    assert view.meaning
    assert "\n" not in view.meaning
    assert view.sql.startswith("SELECT ")
    assert not view.sql.endswith(";")


def test_every_view_is_in_the_documentation(repo: Path) -> None:
    page = (repo / "docs" / "rubric.md").read_text(encoding="utf-8")
    for view in views():
        assert f"| `{view.name}` | {view.meaning}" in page, view.name


def test_every_table_and_column_is_in_the_documentation(repo: Path) -> None:
    page = (repo / "docs" / "evidence.md").read_text(encoding="utf-8")
    for table in TABLES.values():
        for column in table.own:
            assert f"| `{column.name}` | {column.type.value} | {column.meaning}" in page, f"{table.name}.{column.name}"


def test_views_keep_to_sql_that_other_engines_have() -> None:
    for view in views():
        for word in ("GLOB", "SIMILAR", "ASOF", "LATERAL", "EPOCH_MS", "UNNEST", "RECURSIVE", "INTERVAL"):
            assert not re.search(rf"\b{word}\b", view.sql.upper()), (view.name, word)
