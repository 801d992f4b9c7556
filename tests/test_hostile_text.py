"""Text that would do something if anybody let it, in every field of manifest and evidence."""

from __future__ import annotations

import csv
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest
from defusedxml.ElementTree import fromstring

from psf_audit.cli import main, sample
from psf_audit.plugins import discover
from psf_audit.reading import parse_yaml
from psf_audit.rendering import ReportFormat
from tests.deployments import AS_OF, IDS, Deployment, guarded
from tests.everywhere import FILES, fill
from tests.samples import HOSTILE
from tests.signatures import Files

# Half a surrogate pair is refused where it stands: tests/test_bad_input.py.
TEXTS = [text.replace("\ud800", "") for text in HOSTILE]
ALL = " ".join(TEXTS)
FORMATS = tuple(discover("psf_audit.report", ReportFormat))
# C0 without tab and newline, C1, directional marks and overrides, line and paragraph separators.
ACTIVE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")

# A code span ends with as many backticks as it began with (CommonMark 0.31.2, section 6.1).
CODE = re.compile(r"(?<!`)(`+)(?!`)(?:(?!\1(?!`)).)*?(?<!`)\1(?!`)")

TAG = re.compile(r"(?<!\\)<[a-zA-Z/!][\w-]*")


class Page(HTMLParser):
    """What a browser would act on in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: dict[str, int] = {}
        self.links: set[str] = set()
        self.handlers: set[str] = set()
        self.data = ""
        self._in_data = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self._in_data = tag == "script" and ("id", "psf-assessment") in attrs
        for name, value in attrs:
            if name.startswith("on") or name in {"srcdoc", "formaction"}:
                self.handlers.add(name)
            if name in {"href", "src", "action", "xlink:href"}:
                self.links.add(str(value))

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._in_data = False

    def handle_data(self, data: str) -> None:
        if self._in_data:
            self.data += data


def reports(deployment: Deployment) -> dict[str, str]:
    """The report in each format."""
    written = [part for name in FORMATS for part in ("-o", f"{name}={deployment.folder / name}")]
    assert deployment.run(*written) in {0, 1, 3}
    return {name: (deployment.folder / name).read_text() for name in FORMATS}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The reports where harmless words stand in the same places."""
    deployment = guarded(tmp_path_factory.mktemp("plain"))
    fill(deployment, "harmless words")
    return reports(deployment)


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return guarded(tmp_path)


@pytest.mark.parametrize("text", [*TEXTS, ALL])
def test_it_is_inert_in_every_report(
    deployment: Deployment, plain: dict[str, str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(deployment, text)
    made = reports(deployment)
    printed = capsys.readouterr()
    for name, report in (*made.items(), ("stdout", printed.out), ("stderr", printed.err)):
        assert not ACTIVE.search(report.replace("\r\n", "\n") if name == "csv" else report), name
    value = json.loads(made["json"])
    assert value["deployment"]["name"] == "acme-indexer"
    assert len(value["evidence"]) == len(json.loads(plain["json"])["evidence"])
    page, other = Page(made["html"]), Page(plain["html"])
    assert page.tags.keys() == other.tags.keys()
    assert page.tags["script"] == other.tags["script"]
    assert page.links == other.links
    assert page.handlers == set()
    assert json.loads(page.data) == value
    for name in ("markdown", "github-summary"):
        keeps_its_columns(made[name])
        prose = CODE.sub("", made[name]).replace("<!-- -->", "")  # an empty comment keeps a name from being a mention
        assert set(TAG.findall(prose)) <= set(TAG.findall(CODE.sub("", plain[name])))
        assert not re.search(r"(?<!\\)\]\((?:javascript|https://evil)", prose)
    for name in ("sarif", "gitlab", "oscal", "junit", "csv", "github"):
        assert shape(name, made[name]) == shape(name, plain[name]), name


def shape(name: str, report: str) -> object:
    """What a program reads in a report, without its texts: the same whatever they say."""
    if name == "junit":
        return {(element.tag, *sorted(element.attrib)) for element in fromstring(report).iter()}
    if name == "csv":
        rows = list(csv.reader(StringIO(report, newline=""), strict=True))
        assert not any(re.match(r"[=+\-@](?!\d+(\.\d+)?\Z)", cell) for row in rows for cell in row)
        return {len(row) for row in rows}
    if name == "github":
        return {re.match(r"::(error|warning|notice) (?=[^:]*::)", line) is not None for line in report.splitlines()}
    return set(keys(json.loads(report)))


def keys(value: object, path: str = "") -> Iterator[str]:
    """Every path of keys in a document; how long its lists are may follow from a text that is a pattern as well."""
    yield f"{path} {type(value).__name__}"
    if isinstance(value, dict):
        for key, item in value.items():
            yield from keys(item, f"{path}/{key}")
    if isinstance(value, list):
        for item in value:
            yield from keys(item, f"{path}/*")


def keeps_its_columns(markdown: str) -> None:
    columns = 0
    for line in markdown.splitlines():
        found = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert found == columns or not (found and columns), line
        columns = found


def told(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """The answers to the questions, and the explanation of each control, in each form."""
    path = deployment.save()
    given = [str(path), "--as-of", "2026-11-22", "--rubric", str(deployment.folder / "rubric.yaml")]
    commands = {f"questions.{form}": ["questions", *given, "-f", form] for form in ("markdown", "html")}
    for control in IDS:
        for form in ("markdown", "text"):
            commands[f"{control}.{form}"] = ["explain", control, "-m", *given, "-f", form]
    found = {}
    for name, command in commands.items():
        capsys.readouterr()
        assert main.run(command) == 0
        found[name] = capsys.readouterr().out
    return found


@pytest.mark.parametrize("text", [ALL])
def test_it_is_inert_in_answers_and_explanations(
    deployment: Deployment, tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = guarded(tmp_path / "plain")
    fill(other, "harmless words")
    plain = told(other, capsys)
    fill(deployment, text)
    for name, made in told(deployment, capsys).items():
        assert not ACTIVE.search(made), name
        if name.endswith(".html"):
            page, harmless = Page(made), Page(plain[name])
            assert page.tags.keys() == harmless.tags.keys()
            assert page.tags["script"] == harmless.tags["script"]
            assert page.links == harmless.links
            assert page.handlers == set()
        if name.endswith(".markdown"):
            prose = CODE.sub("", made).replace("<!-- -->", "")
            assert set(TAG.findall(prose)) <= set(TAG.findall(CODE.sub("", plain[name])))
            assert not re.search(r"(?<!\\)\]\((?:javascript|https://evil)", prose)


@pytest.mark.parametrize("path", FILES)
def test_it_is_inert_where_the_facts_are_shown(tmp_path: Path, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    for text in TEXTS:
        target = tmp_path / Path(path).name
        target.write_text(FILES[path](text))
        main.run(["evidence", "show", str(target)])
        printed = capsys.readouterr()
        assert not ACTIVE.search(printed.out + printed.err)


@pytest.mark.parametrize("text", TEXTS)
def test_it_is_inert_in_messages(deployment: Deployment, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    for change in ({text: 1}, {"rubric": text}, {"gate": {"require": text}}, {"evidence": [{"path": text}] * 2}):
        assert Deployment(deployment.folder, {**deployment.manifest, **change}).run() == 2
    name = text.replace("\x00", "").replace("/", "")[:60]
    deployment.write(f"evidence/{name}.json", "{")
    deployment.manifest["evidence"].append({"path": f"evidence/{name}.json"})
    assert deployment.run() == 3
    main.run(["evidence", "show", str(deployment.folder / f"evidence/{name}.json")])
    main.run(["assess", str(deployment.folder / f"{name}.yaml")])
    printed = capsys.readouterr()
    assert not ACTIVE.search(printed.out + printed.err)


@pytest.mark.parametrize("text", [*TEXTS, ALL])
def test_it_is_inert_in_every_worksheet(deployment: Deployment, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    fill(deployment, text)
    reports(deployment)
    capsys.readouterr()
    printed = {}
    for name in sample.forms():
        assert main.run(["sample", str(deployment.folder / "json"), "--seed", "1", "--count", "1000", "-f", name]) == 0
        printed[name], told = capsys.readouterr()
        assert not ACTIVE.search(printed[name] + told), name
    rows = len(json.loads(printed["json"])["drawn"])
    records = parse_yaml(printed["records"]).value["records"]
    assert len(records) == rows
    assert all(record.keys() == records[0].keys() for record in records)
    keeps_its_columns(printed["markdown"])
    prose = CODE.sub("", printed["markdown"]).replace("<!-- -->", "")
    assert TAG.findall(prose) == []
    assert not re.search(r"(?<!\\)\]\((?:javascript|https://evil)", prose)


@pytest.mark.parametrize("format_", ["markdown", "terminal"])
def test_the_report_is_as_it_was(deployment: Deployment, golden: Callable[[str, str], None], format_: str) -> None:
    fill(deployment, ALL)
    suffix = {"markdown": "md", "terminal": "txt"}[format_]
    golden(f"pipeline/hostile.{suffix}", reports(deployment)[format_])


@pytest.mark.parametrize("text", [*TEXTS, ALL])
def test_it_is_inert_in_what_is_signed_packed_and_verified(
    deployment: Deployment, tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(deployment, text)
    (tmp_path / "out").mkdir()
    files = Files(deployment, tmp_path / "out")
    assert files.attest(files.html, "-o", files.path("signed.html")) == 0
    assert files.verify(files.path("signed.html"), day=AS_OF) == 0
    assert files.pack() == 0
    assert files.verify(files.path("pack.zip"), day=AS_OF) == 0
    printed = capsys.readouterr()
    with zipfile.ZipFile(files.path("pack.zip")) as archive:
        index = archive.read("index.md").decode()
    for told in (printed.out, printed.err, index):
        assert not ACTIVE.search(told)
    assert TAG.findall(index) == []
    signed, plain = (Page(Path(files.path(name)).read_text()) for name in ("signed.html", "report.html"))
    assert (signed.tags, signed.links, signed.handlers) == (plain.tags, plain.links, set())
