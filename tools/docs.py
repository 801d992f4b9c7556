"""Writes, or checks, the generated parts of README.md and docs/: help texts, exit codes, lists of what there is.

A generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`; NAME is a function here.
"""

import re
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from psf_audit import collection, query, rubric, rubric_book, schemas
from psf_audit.artifact import EvidenceFormat
from psf_audit.errors import ExitCode
from psf_audit.facts.tables import TABLES
from psf_audit.facts.views import views
from psf_audit.model import Status, Verdict
from psf_audit.plugins import discover
from psf_audit.questions import Standing, questionnaire
from psf_audit.reading import parse_yaml
from psf_audit.rendering import ReportFormat
from psf_audit.replay import checks

ROOT = Path(__file__).resolve().parent.parent
_WIDEST = 160
PART = re.compile(r"(<!-- generated: (?P<name>[a-z_]+)(?: (?P<argument>[^>\n]*?))? -->\n).*?(<!-- end -->)", re.DOTALL)


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def help_text(argument: str) -> str:
    """What `psf-audit ... --help` prints."""
    command = [sys.executable, "-m", "psf_audit", *argument.split(), "--help"]
    run = subprocess.run(command, capture_output=True, text=True, check=True, env={"COLUMNS": "100", "NO_COLOR": "1"})
    return f"```text\n{run.stdout.strip()}\n```"


def output(argument: str) -> str:
    """What `psf-audit ...` prints."""
    command = [sys.executable, "-m", "psf_audit", *argument.split()]
    environment = {"COLUMNS": "100", "NO_COLOR": "1"}
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=ROOT)
    return f"```text\n{run.stdout.strip()}\n```"


def section(argument: str) -> str:
    """One section of the Markdown that `psf-audit ...` prints: `HEADING | COMMAND`, by the start of its heading."""
    heading, _, rest = argument.partition(" | ")
    command = [sys.executable, "-m", "psf_audit", *rest.split()]
    run = subprocess.run(command, capture_output=True, text=True, check=True, env={"NO_COLOR": "1"}, cwd=ROOT)
    found = next(part for part in run.stdout.split("\n## ") if part.startswith(heading))
    return f"````markdown\n## {found.strip()}\n````"


def question_list(_: str) -> str:
    """The written questions with the controls that an answer rests on."""
    rows = [
        [str(number), question.question, ", ".join(question.controls), question.origin.value]
        for number, question in enumerate(questionnaire().questions, 1)
    ]
    return _table(["", "question", "rests on", "from"], rows)


def standings(_: str) -> str:
    """What the evidence can make of a question."""
    return _table(
        ["answer", "when", "counts"],
        [[f"**{one.label}**", one.meaning, "no" if one.vague else "yes"] for one in Standing],
    )


@cache
def _reports() -> dict[str, str]:
    """The sample of the incident in every format."""
    kinds = discover("psf_audit.report", ReportFormat)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "psf_audit", "assess", "samples/dn42/manifest.yaml", "--as-of", "2026-11-22"]
        written = [part for name in kinds for part in ("-o", f"{name}={folder}/{name}")]
        subprocess.run([*command, "--exit-zero", *written], capture_output=True, check=True, cwd=ROOT)
        return {name: Path(folder, name).read_text(encoding="utf-8") for name in kinds}


def excerpt(argument: str) -> str:
    """`FORMAT COUNT TEXT`: so many lines of a report, from the first that holds the text; long ones are cut."""
    name, count, text = argument.split(" ", 2)
    lines = _reports()[name].splitlines()
    first = next(number for number, line in enumerate(lines) if text in line)
    shown = [line if len(line) <= _WIDEST else f"{line[: _WIDEST - 1]}…" for line in lines[first : first + int(count)]]
    return "\n".join(["```text", *shown, "```"])


def exit_codes(_: str) -> str:
    """The exit codes and their meaning."""
    return _table(["code", "meaning"], [[str(code.value), code.meaning] for code in ExitCode])


def statuses(_: str) -> str:
    """The statuses, with the credit each earns."""
    rows = [[status.label, f"{status.credit}", "yes" if status.is_gap else "no"] for status in Status]
    return _table(["status", "credit", "gap"], rows)


def verdicts(_: str) -> str:
    """The verdicts."""
    return _table(["verdict", "meaning"], [[verdict.label, verdict.meaning] for verdict in Verdict])


_SPEAKS_TO = ("present", "tested", "held", "documented")


def evidence_formats(folder: str) -> str:
    """Every evidence format with a link to its page, and which of the questions it can speak to."""
    rows = [
        [
            f"[`{kind.name}`]({folder}formats/{kind.name}.md)",
            kind.title,
            kind.stack,
            *("yes" if question in kind.speaks_to else "" for question in _SPEAKS_TO),
        ]
        for kind in collection.formats().values()
    ]
    return _table(["format", "what it is", "of", *_SPEAKS_TO], rows)


def refusals(_: str) -> str:
    """What is offered as evidence and is none."""
    rows = [[kind.title, f"It {kind.why}.", kind.instead] for kind in collection.refusals().values()]
    return _table(["file", "why it is no evidence", "give instead"], rows)


def _said(kind: EvidenceFormat) -> list[tuple[bool, str]]:
    """What holds of some formats only."""
    only_columns = kind.columnar is not None and kind.columnar.only
    return [
        (kind.produced_by is not None, f"Written by: {kind.produced_by}, unless file or manifest says otherwise."),
        (only_columns, "It is read into columns, however large it is (up to 64 GiB)."),
        (kind.streams and not only_columns, "It is read plain or as gzip, however large it is (up to 64 GiB)."),
        (kind.needs_loading, "It counts only where a log or a test result names the SHA-256 of the file in use."),
        (kind.is_source, "`psf-audit init` dates it by the day it finds it: what a program reads is so on that day."),
    ]


def _format_page(kind: EvidenceFormat) -> str:
    """The page of one format, made of what the format says of itself."""
    names = ", ".join(f"`{suffix}`" for suffix in kind.suffixes)
    facts = [
        f"{kind.title}, of {kind.stack}. Files end in {names}; the content decides what a file is.",
        f"It speaks to: {', '.join(kind.speaks_to)}. Its facts go to: {', '.join(kind.tables)}.",
        *(sentence for said, sentence in _said(kind) if said),
    ]
    parts = [
        f"# {kind.name}",
        "<!-- Written by tools/docs.py from what the format says of itself; edit that. -->",
        *facts,
        "## What is read",
        _list(kind.reads),
        "## What it proves",
        _list(kind.proves),
        "## What it cannot prove",
        _list(kind.cannot),
        "## How to export it",
        "```sh\n" + "\n".join(kind.export) + "\n```",
        "What a file gives: `psf-audit evidence show FILE`. All formats: [evidence.md](../evidence.md).",
    ]
    return "\n\n".join(parts) + "\n"


def _list(sentences: tuple[str, ...]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)


def report_formats(_: str) -> str:
    """Every report format."""
    known = discover("psf_audit.report", ReportFormat)
    return _table(["format", "what it is"], [[f"`{kind.name}`", kind.title] for kind in known.values()])


def action_inputs(_: str) -> str:
    """The inputs of the GitHub Action."""
    inputs = parse_yaml((ROOT / "action.yml").read_text(encoding="utf-8")).value["inputs"]
    rows = [
        [f"`{name}`", one["description"], f"`{one['default']}`" if one["default"] else ""]
        for name, one in inputs.items()
    ]
    return _table(["input", "what it is", "if not given"], rows)


def tables(_: str) -> str:
    """The evidence tables and the meaning of their columns."""
    parts = []
    for table in TABLES.values():
        rows = [
            [f"`{column.name}`", column.type.value, column.meaning + _choices(column.choices)] for column in table.own
        ]
        common = " Its rows carry the common columns." if table.facts else ""
        listed = _table(["column", "type", "meaning"], rows)
        parts.append(f"### {table.name}\n\n{_sentence(table.meaning)}{common}\n\n{listed}")
    return "\n\n".join(parts)


def view_list(_: str) -> str:
    """The views that criteria read."""
    return _table(["view", "meaning"], [[f"`{view.name}`", view.meaning] for view in views()])


def replay_checks(_: str) -> str:
    """What a replay looks for in a log, and the views that say it."""
    known = {view.name for view in views()} | TABLES.keys()
    rows = []
    for check in checks.checks():
        read = sorted(query.names(check.sql, frozenset(known)))
        rows.append([f"`{check.id}`", check.title, ", ".join(f"`{name}`" for name in read)])
    return _table(["check", "a row of it", "read from"], rows)


def controls(argument: str) -> str:
    """The controls of a rubric."""
    loaded = rubric.load(rubric.find(argument))
    rows = [[control.id, control.severity.value, control.title, control.requirement] for control in loaded.controls]
    return _table(["control", "severity", "title", "requirement"], rows)


def rubric_list(_: str) -> str:
    """The newest version of each rubric, and of each overlay, with its document."""
    rows = []
    for name in (*rubric.available(), *rubric.overlays()):
        loaded = rubric.load(rubric.find(name))
        own = loaded.overlay.version if loaded.overlay else loaded.identity.version
        title = f"{loaded.overlay.title}, over {loaded.overlay.extends}" if loaded.overlay else loaded.identity.title
        rows.append([f"[`{name}`](rubrics/{name}.md)", own, str(len(loaded.controls)), title])
    return _table(["name", "newest", "controls", "what it is"], rows)


def _book(name: str) -> str:
    """The newest version of a rubric or overlay as a document."""
    return rubric_book.markdown(rubric.load(rubric.find(name)), collection.formats().values())


def schema_names(_: str) -> str:
    """The published schemas."""
    return ", ".join(f"`{name}`" for name in schemas.names())


def _choices(choices: tuple[str, ...]) -> str:
    return f" ({', '.join(choices)})" if choices else ""


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _generated(match: re.Match[str]) -> str:
    made = globals()[match["name"]](match["argument"] or "")
    return f"{match[1]}{made}\n{match[4]}"


def _pages() -> dict[Path, str | None]:
    """Every file that is written here, with its text; None where it should not be there."""
    folder = ROOT / "docs" / "formats"
    wanted: dict[Path, str | None] = dict.fromkeys(folder.glob("*.md"))
    wanted |= {folder / f"{kind.name}.md": _format_page(kind) for kind in collection.formats().values()}
    books = ROOT / "docs" / "rubrics"
    wanted |= dict.fromkeys(books.glob("*.md"))
    wanted |= {books / f"{name}.md": _book(name) for name in (*rubric.available(), *rubric.overlays())}
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]:
        wanted[path] = PART.sub(_generated, path.read_text(encoding="utf-8"))
    return wanted


def _write(path: Path, text: str | None) -> None:
    if text is None:
        path.unlink()
        return
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def main() -> int:
    """Write the generated parts, or with `--check` say which are stale."""
    check = "--check" in sys.argv[1:]
    stale = False
    for path, text in sorted(_pages().items()):
        if text == (path.read_text(encoding="utf-8") if path.exists() else None):
            continue
        stale = True
        if not check:
            _write(path, text)
        print(f"{path.relative_to(ROOT)}: {'stale, run `make docs`' if check else 'written'}")
    return int(check and stale)


if __name__ == "__main__":
    sys.exit(main())
