"""Input that is broken, or made to break: configuration exits 2 with its line, evidence is a gap, nothing crashes."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from psf_audit import reading
from psf_audit.cli import main
from psf_audit.model import Status
from tests import deployments
from tests.deployments import Deployment, call, control, guarded, log, started

NESTED = 200
HUGE = 100 * 2**20
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join(['*' + old] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
ENTITIES = "".join(
    f'<!ENTITY {new} "{"&" + old + ";&" + old + ";"}">' for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
SUITE = '<testsuites><testsuite name="{}"/></testsuites>'
XML_BOMB = f'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">{ENTITIES}]>' + SUITE.format("&i;")
XML_FILE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + SUITE.format("&a;")

# Name of a file and its content: what is wrong with it whatever it is read as.
CONTENT: dict[str, bytes] = {
    "empty.yaml": b"",
    "latin.yaml": b"a: caf\xe9\n",
    "utf16.json": '{"a": 1}'.encode("utf-16"),
    "nul.yaml": b"a: \x00\n",
    "cut.json": b'{"schema": "psf-audit/records/1", "records": [{"kind": "rev',
    "cut.yaml": b"a: [1, 2",
    "tabs.yaml": b"a:\n\t- b\n",
    "twice.yaml": b"schema: psf-audit/records/1\nschema: psf-audit/records/1\n",
    "twice.json": b'{"schema": "psf-audit/records/1", "records": [], "records": []}',
    "tag.yaml": b"a: !!python/object/apply:os.system [echo owned]\n",
    "merge.yaml": b"a: &a {b: 1}\nc: {<<: *a}\n",
    "bomb.yaml": BOMB.encode(),
    "loop.yaml": b"a: &a [*a]\n",
    "deep.yaml": b"[" * NESTED + b"]" * NESTED,
    "deep.json": b'{"a":' * NESTED + b"1" + b"}" * NESTED,
    "deeper.json": b"[" * 100_000,
    "nan.json": b'{"schema": "psf-audit/records/1", "records": [], "x": NaN}',
    "several.yaml": b"--- {a: 1}\n--- {b: 2}\n",
    "scalar.yaml": b"just words\n",
    "bomb.xml": XML_BOMB.encode(),
    "file.xml": XML_FILE.encode(),
    "cut.xml": b"<testsuites><testsuite><testcase name='a'>",
    "deep.xml": b"<testsuites>" + b"<testsuite>" * NESTED + b"</testsuite>" * NESTED + b"</testsuites>",
    "latin.jsonl": b'{"kind": "caf\xe9"}\n',
    "lines.jsonl": b"1\n2\n3\n",
    "cut.jsonl.gz": gzip.compress(log(started(), *[call()] * 50).encode())[:120],
    "zeros.bin": bytes(1000),
}
DOCUMENT = b"---\nowner: [\n---\n# x\n"


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return guarded(tmp_path)


@pytest.fixture(autouse=True)
def no_traceback(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Whatever a test here does, nobody ever sees a traceback."""
    yield
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    assert "bug in psf-audit" not in printed.err


def sparse(path: Path, size: int = HUGE) -> Path:
    """A file of that size in one line, which takes no room."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.truncate(size)
    return path


# ------------------------------------------------------------------------------------------------------- configuration


@pytest.mark.parametrize("name", CONTENT)
def test_as_a_manifest(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / name
    path.write_bytes(CONTENT[name])
    assert main.run(["assess", str(path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(str(path))


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("latin.yaml", 1),
        ("tabs.yaml", 2),
        ("twice.yaml", 2),
        ("tag.yaml", 1),
        ("merge.yaml", 2),
        ("bomb.yaml", 6),
        ("deep.yaml", 1),
    ],
)
def test_a_manifest_that_cannot_be_parsed_is_told_with_its_line(
    tmp_path: Path, name: str, line: int, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(CONTENT[name])
    main.run(["assess", str(path)])
    assert capsys.readouterr().err.startswith(f"{path}:{line}:")


@pytest.mark.parametrize("name", CONTENT)
def test_as_a_rubric(deployment: Deployment, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = deployment.write(f"rubrics/{Path(name).stem}.yaml", CONTENT[name])
    assert deployment.run("--rubric", str(path)) == 2
    assert main.run(["rubric", "lint", str(path)]) == 2
    assert main.run(["rubric", "test", str(path)]) == 2
    assert str(path) in capsys.readouterr().err


@pytest.mark.parametrize("name", CONTENT)
def test_as_a_stored_assessment(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / name
    path.write_bytes(CONTENT[name])
    assert main.run(["report", str(path)]) == 2
    assert main.run(["diff", str(path), str(path)]) == 2
    assert str(path) in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["missing", "folder", "huge", "pipe", "null", "loop"])
def test_a_manifest_that_is_no_file(tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "manifest.yaml"
    if kind == "folder":
        path.mkdir()
    elif kind == "huge":
        sparse(path)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "null":
        path = Path("/dev/null")
    elif kind == "loop":
        path.symlink_to(path)
    assert main.run(["assess", str(path)]) == 2
    assert capsys.readouterr().err.startswith(f"{path}: ")


def as_text(deployment: Deployment, old: str, new: str) -> int:
    """The exit code when this stands in the manifest in place of that."""
    path = deployment.save()
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    return main.run(["assess", str(path), "--rubric", str(deployment.folder / "rubric.yaml"), "--as-of", "2026-11-22"])


@pytest.mark.parametrize(
    "cost", ["-1", "-0.01", ".nan", "NaN", ".inf", "1e400", "1000000000", "true", "'0.5'", "[1]", "-1e-400", "lots"]
)
def test_a_cost_that_is_none_is_refused_with_its_line(
    deployment: Deployment, cost: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert as_text(deployment, "usd: 0.5", f"usd: {cost}") == 2
    assert capsys.readouterr().err.startswith(f"{deployment.folder / 'manifest.yaml'}:")


@pytest.mark.parametrize(
    "day", ["2026-02-30", "2026-13-01", "20.11.2026", "2026-11-20T10:00:00Z", "yesterday", "20261120"]
)
def test_a_date_that_is_none_is_refused_with_its_line(
    deployment: Deployment, day: str, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment.manifest["evidence"][0]["collected"] = day
    assert deployment.run() == 2
    assert capsys.readouterr().err.startswith(f"{deployment.folder / 'manifest.yaml'}:")


@pytest.mark.parametrize(
    "issued", ["2026-11-01T10:00:00", "2026-11-01T10:00", "0001-01-01", "9999-12-31", "2026-11-31"]
)
def test_a_time_without_a_zone_or_out_of_range_is_refused(
    deployment: Deployment, issued: str, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment.manifest["agent"]["credentials"] = [{"name": "key", "holder": "agent", "issued": issued}]
    assert deployment.run() == 2
    assert ": issued " in capsys.readouterr().err


@pytest.mark.parametrize("spec", ["psf-agentic@99", "psf-agentic@1.0.99", "nobody@1", "nobody"])
def test_an_unknown_rubric_version_is_refused_with_its_line(
    deployment: Deployment, spec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment.manifest["rubric"] = spec
    path = deployment.save()
    assert main.run(["assess", str(path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"{path}:")
    assert "known: " in said


def test_every_mistake_is_told_at_once(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    deployment.manifest["deployment"]["color"] = "red"
    deployment.manifest["agent"]["capabilities"][0]["cost"] = "cheap"
    deployment.manifest["gate"] = {"min_score": 500}
    assert deployment.run() == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert [int(line.split(":")[1]) for line in lines[:3]] == sorted(int(line.split(":")[1]) for line in lines[:3])
    assert lines[3].endswith("3 problems")


# ------------------------------------------------------------------------------------------------------------ evidence


def costs_its_file(deployment: Deployment, *paths: str) -> None:
    """These files are gaps, the rest is read and assessed, and it does not pass."""
    made, code = deployment.decided()
    assert sorted(one.path for one in made.evidence if not one.readable) == sorted(paths)
    assert all(one.problem for one in made.evidence if one.path in paths)
    assert control(made, "SPEND-02").shows.count == 1
    assert control(made, "SPEND-01").gaps.count >= 1
    assert code in {1, 3}


@pytest.mark.parametrize("name", CONTENT)
def test_as_evidence(deployment: Deployment, name: str) -> None:
    deployment.put(f"evidence/{name}", CONTENT[name])
    if name.endswith(".gz"):  # read as far as it goes; the rest is a gap
        made, code = deployment.decided()
        assert (control(made, "SPEND-01").status, code) == (Status.UNKNOWN, 3)
    else:
        costs_its_file(deployment, f"evidence/{name}")


@pytest.mark.parametrize("name", CONTENT)
def test_evidence_show_survives_it(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / name
    path.write_bytes(CONTENT[name])
    assert main.run(["evidence", "show", str(path)]) == (0 if name.endswith(".gz") else 3)
    assert capsys.readouterr().out


def test_a_document_with_broken_front_matter(deployment: Deployment) -> None:
    deployment.put("docs/other.md", DOCUMENT)
    costs_its_file(deployment, "docs/other.md")


@pytest.mark.parametrize("first", ["cut.json", "bomb.yaml", "bomb.xml"])
@pytest.mark.parametrize("second", ["deep.json", "latin.jsonl", "zeros.bin"])
def test_two_at_once(deployment: Deployment, first: str, second: str) -> None:
    deployment.put(f"evidence/{first}", CONTENT[first])
    deployment.put(f"evidence/{second}", CONTENT[second])
    costs_its_file(deployment, f"evidence/{first}", f"evidence/{second}")


def test_all_at_once(deployment: Deployment) -> None:
    for name, data in CONTENT.items():
        deployment.put(f"evidence/{name}", data)
    costs_its_file(deployment, *(f"evidence/{name}" for name in CONTENT if not name.endswith(".gz")))


@pytest.mark.parametrize("format_", ["events", "records", "document", "guardrails", "junit-xml", "litellm-config",
                                     "terraform-plan", "otlp-trace", "claude-code-settings"])  # fmt: skip
@pytest.mark.parametrize("name", ["zeros.bin", "deeper.json", "scalar.yaml"])
def test_read_as_each_format(deployment: Deployment, name: str, format_: str) -> None:
    deployment.put(f"evidence/{name}", CONTENT[name], format=format_)
    made, code = deployment.decided()
    found = next(one for one in made.evidence if one.path == f"evidence/{name}")
    # Any text is a document; one that covers nothing says so.
    assert not found.readable or (format_ == "document" and found.problem)
    assert code == (0 if found.readable else 3)


# ------------------------------------------------------------------------------------------------------------- no files


def link(deployment: Deployment, name: str, target: str | Path) -> str:
    (deployment.folder / name).symlink_to(target)
    return name


def chain(deployment: Deployment, target: Path) -> str:
    link(deployment, "evidence/b.xml", target)
    return link(deployment, "evidence/a.xml", "b.xml")


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("outside") / "drills.xml"
    path.write_text(deployments.drills())
    return path


def empty_folder(deployment: Deployment) -> str:
    (deployment.folder / "evidence/none").mkdir()
    return "evidence/none"


OutOfReach = Callable[[Deployment, Path], str]
OUT_OF_REACH: dict[str, tuple[OutOfReach, str]] = {
    "missing": (lambda *_: "evidence/gone.xml", "does not exist"),
    "folder": (lambda one, _: empty_folder(one), "is a folder without a log that can be read"),
    "parent": (lambda one, path: os.path.relpath(path, one.folder), "lies outside the evidence root"),
    "absolute": (lambda _, path: str(path), "lies outside the evidence root"),
    "passwd": (lambda *_: "/etc/passwd", "lies outside the evidence root"),
    "link": (lambda one, path: link(one, "evidence/link.xml", path), "lies outside"),
    "linked folder": (lambda one, path: link(one, "evidence/out", path.parent) + "/drills.xml", "lies outside"),
    "chain": (chain, "lies outside"),
    "device": (lambda one, _: link(one, "evidence/zero.xml", "/dev/zero"), "lies outside"),
    "loop": (lambda one, _: link(one, "evidence/loop.xml", "loop.xml"), "no path that can be followed"),
    "dangling": (lambda one, _: link(one, "evidence/gone.xml", "nowhere"), "does not exist"),
    "long": (lambda *_: "e" * 5_000 + ".xml", "cannot be read: File name too long"),
    "nul": (lambda *_: "evidence/a\0b.xml", "no path that can be followed"),
    "through a file": (lambda *_: "evidence/drills.xml/x.xml", "does not exist"),
}  # fmt: skip


@pytest.mark.parametrize("how", OUT_OF_REACH)
def test_a_path_that_leads_nowhere_or_out(deployment: Deployment, outside: Path, how: str) -> None:
    make, problem = OUT_OF_REACH[how]
    path = make(deployment, outside)
    deployment.manifest["evidence"].append({"path": path, "collected": deployments.DAY})
    made, code = deployment.decided()
    found = next(one for one in made.evidence if not one.readable)
    assert problem in str(found.problem)
    assert (found.sha256, found.bytes, code) == (None, 0, 3)


def test_a_link_that_stays_inside_is_followed(deployment: Deployment) -> None:
    (deployment.folder / "evidence/drills.xml").rename(deployment.folder / "evidence/real.xml")
    link(deployment, "evidence/drills.xml", "real.xml")
    assert deployment.run() == 0


def test_the_evidence_root_can_be_widened(deployment: Deployment, outside: Path) -> None:
    deployment.manifest["evidence"].append({"path": str(outside), "collected": deployments.DAY})
    assert deployment.run("--evidence-root", str(outside.parent)) == 3  # narrowed to there, nothing else is inside
    root = Path(os.path.commonpath([outside, deployment.folder]))
    assert deployment.run("--evidence-root", str(root)) == 0


def test_a_pipe_is_not_waited_for(deployment: Deployment) -> None:
    os.mkfifo(deployment.folder / "evidence/pipe.jsonl")
    deployment.manifest["evidence"].append({"path": "evidence/pipe.jsonl", "collected": deployments.DAY})
    costs_its_file(deployment, "evidence/pipe.jsonl")


def test_a_file_that_may_not_be_read(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment.put("evidence/secret.xml", deployments.drills())
    really = Path.open

    def guarded_open(path: Path, *given: Any, **more: Any) -> IO[Any]:
        if path.name == "secret.xml":  # root may read anything, so the mode of the file does not do
            raise PermissionError(13, "Permission denied")
        opened: IO[Any] = really(path, *given, **more)
        return opened

    monkeypatch.setattr(Path, "open", guarded_open)
    costs_its_file(deployment, "evidence/secret.xml")


# --------------------------------------------------------------------------------------------------------------- sizes


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".yaml", ".xml", ".md"])
def test_a_line_of_100_mb(deployment: Deployment, suffix: str) -> None:
    sparse(deployment.folder / f"evidence/huge{suffix}")
    deployment.manifest["evidence"].append({"path": f"evidence/huge{suffix}", "collected": deployments.DAY})
    costs_its_file(deployment, f"evidence/huge{suffix}")


def test_a_long_line_below_the_limit_costs_the_line(deployment: Deployment) -> None:
    with (deployment.folder / "evidence/log.jsonl").open("ab") as stream:
        stream.write(b"x" * (reading.MAX_LINE_BYTES + 1))
    made = deployment.assess()
    assert control(made, "SPEND-01").status is Status.UNKNOWN
    assert f"longer than {reading.MAX_LINE_BYTES // 2**20} MiB" in control(made, "SPEND-01").reason
    assert control(made, "SPEND-02").status is Status.DEMONSTRATED


def test_a_gzip_bomb_is_read_up_to_the_bound(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_EXPANDED", 256 * 2**20)
    member = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    chunk = (b" " * 1023 + b"\n") * 1024
    squeezed = b"".join(member.compress(chunk) for _ in range(64)) + member.flush()
    deployment.put("evidence/bomb.jsonl.gz", gzip.compress(log(started()).encode()) + squeezed * 10)
    made = deployment.assess()
    assert control(made, "SPEND-01").status is Status.UNKNOWN
    assert "a bound on the size is reached" in control(made, "SPEND-01").reason
    assert control(made, "SPEND-02").status is Status.DEMONSTRATED


# -------------------------------------------------------------------------------------------------------------- values


@pytest.mark.parametrize(
    "cost", ["NaN", "Infinity", "1e400", "-1", "-0.5", '"-3"', '"lots"', "true", "[1]", "1e9", "123456789012345678901"]
)
def test_a_cost_in_a_log_that_is_none_is_unknown_and_not_free(deployment: Deployment, cost: str) -> None:
    line = '{"at": "2026-11-20T10:00:00Z", "kind": "model", "actor_kind": "agent", "name": "llm", "cost_usd": COST}\n'
    deployment.put("evidence/log.jsonl", log(started()) + line.replace("COST", cost))
    made = deployment.assess()
    assert control(made, "SPEND-01").status is Status.UNKNOWN
    assert "the cost is unknown, not 0" in control(made, "SPEND-01").reason
    assert control(made, "SPEND-02").status is Status.DEMONSTRATED


@pytest.mark.parametrize(
    "at", ["2026-11-20T10:00:00", "2026-11-20", "10:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", ""]
)
def test_a_time_in_a_log_without_zone_or_out_of_range_is_a_gap(deployment: Deployment, at: str) -> None:
    deployment.put("evidence/log.jsonl", log(started(), call(at=at)))
    assert control(deployment.assess(), "SPEND-01").status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "records.json",
            '{"schema": "psf-audit/records/1", "records": [{"kind": "review", "at": "2026-11-01", "by": "TEXT"}]}',
        ),
        ("more.json", '{"schema": "psf-audit/guardrails/1", "logs": [{"sink": "TEXT"}]}'),
        ("key.json", '{"schema": "psf-audit/records/1", "TEXT": 1, "records": []}'),
        ("settings.json", '{"permissions": {"allow": ["TEXT"], "deny": ["Bash(TEXT)"]}}'),
        (
            "litellm.json",
            '{"litellm_settings": {"max_budget": 5}, "model_list": [{"model_name": "TEXT", "litellm_params": {}}]}',
        ),
    ],
)
@pytest.mark.parametrize("half", ["\\ud800", "a\\udfffb"])
def test_half_a_surrogate_pair_costs_its_file(deployment: Deployment, name: str, content: str, half: str) -> None:
    deployment.put(f"evidence/{name}", content.replace("TEXT", half))
    made, code = deployment.decided()
    assert [one.path for one in made.evidence if not one.readable] == [f"evidence/{name}"]
    assert code == 3
