"""Packs: what is in them, that the same files give the same bytes, and that nothing in one can be changed unseen."""

from __future__ import annotations

import json
import random
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from psf_audit import pack as packs
from psf_audit import schemas, unpack
from psf_audit.cli import main, output
from psf_audit.errors import IntegrityError
from psf_audit.report.json_report import JSON
from tests.deployments import AS_OF, guarded
from tests.signatures import Files

Parts = dict[str, bytes]


@pytest.fixture
def files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Files:
    (tmp_path / "deployment").mkdir()
    (tmp_path / "out").mkdir()
    made = Files(guarded(tmp_path / "deployment"), tmp_path / "out")
    capsys.readouterr()
    return made


@pytest.fixture
def packed(files: Files, capsys: pytest.CaptureFixture[str]) -> Path:
    assert files.pack() == 0
    capsys.readouterr()
    return files.folder / "pack.zip"


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    told = capsys.readouterr()
    assert "Traceback" not in told.err
    return " ".join((told.out + told.err).split())


def parts(path: Path) -> Parts:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def put(path: Path, members: Iterable[tuple[str, bytes]], **changes: Any) -> None:
    """Write an archive as psf-audit does, but for these changes to its entries."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name, packs.DATE)
            info.create_system, info.external_attr, info.compress_type = 3, packs.MODE, zipfile.ZIP_STORED
            for key, value in changes.items():
                setattr(info, key, value)
            archive.writestr(info, data)


def repacked(path: Path, change: Callable[[Parts], None]) -> Path:
    found = parts(path)
    change(found)
    target = path.with_name("changed.zip")
    put(target, sorted(found.items()))
    return target


# -------------------------------------------------------------------------------------------------------------- packing


def test_it_holds_all_that_the_assessment_rests_on_and_every_report(files: Files, packed: Path) -> None:
    found = parts(packed)
    deployment = {
        f"deployment/{path}": (files.deployment.folder / path).read_bytes()
        for path in ["manifest.yaml", *(entry["path"] for entry in files.deployment.manifest["evidence"])]
    }
    assert {name: data for name, data in found.items() if name.startswith("deployment/")} == deployment
    assert found["assessment.json"] == files.json.read_bytes()
    assert found["reports/html.html"] == files.html.read_bytes()
    reports = {name.partition("/")[2] for name in found if name.startswith("reports/")}
    assert reports == {file for name, file in output.file_names().items() if name != JSON.name}
    others = {"assessment.json", "assessment.json.intoto.jsonl", "index.json", "index.md"}
    assert found.keys() == others | deployment.keys() | {f"reports/{name}" for name in reports}


def test_its_index_names_every_file_with_digest_and_role(packed: Path) -> None:
    found = parts(packed)
    index = json.loads(found["index.json"])
    assert not list(Draft202012Validator(schemas.load("pack")).iter_errors(index))
    listed = {entry["path"]: entry for entry in index["files"]}
    assert found.keys() - listed.keys() == {"index.json", "assessment.json.intoto.jsonl"}
    for path, entry in listed.items():
        assert entry["bytes"] == len(found[path])
    roles = {entry["role"] for entry in index["files"]}
    assert roles == {"assessment", "evidence", "index", "manifest", "report"}
    assert index["withheld"] == []
    readable = found["index.md"].decode()
    assert all(path in readable.replace("\\", "") for path in listed if path != "index.md")


def test_the_same_files_give_the_same_bytes(files: Files, packed: Path) -> None:
    assert files.pack(output="again.zip") == 0
    assert (files.folder / "again.zip").read_bytes() == packed.read_bytes()
    assert files.pack(files.deployment.folder / "manifest.yaml", *_made(files), output="anew.zip") == 0
    assert (files.folder / "anew.zip").read_bytes() == packed.read_bytes()
    with zipfile.ZipFile(packed) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {info.external_attr >> 16 for info in archive.infolist()} == {stat.S_IFREG | 0o644}
        assert archive.namelist() == sorted(archive.namelist())


def _made(files: Files) -> list[str]:
    return ["--as-of", AS_OF.isoformat(), "--rubric", str(files.deployment.folder / "rubric.yaml")]


def test_a_redacted_pack_holds_digests_and_no_evidence(
    files: Files, packed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert files.pack(None, "--redact", output="redacted.zip") == 0
    assert "not in it: 5 files, see index.md in it" in printed(capsys)
    found = parts(files.folder / "redacted.zip")
    assert not [name for name in found if name.startswith("deployment/")]
    withheld = {entry["path"]: entry for entry in json.loads(found["index.json"])["withheld"]}
    whole = {entry["path"]: entry for entry in json.loads(parts(packed)["index.json"])["files"]}
    assert {f"deployment/{path}": entry["sha256"] for path, entry in withheld.items()} == {
        path: entry["sha256"] for path, entry in whole.items() if path.startswith("deployment/")
    }
    redacted = files.path("redacted.zip")
    assert files.verify(redacted) == 0
    assert "of which only digests are signed: config/gateway.yaml," in printed(capsys)
    assert files.verify(redacted, "--evidence", str(files.deployment.folder)) == 0
    assert "5 files of the manifest and the evidence, by digest" in printed(capsys)
    (files.deployment.folder / "docs/runbook.md").write_text("changed")
    assert files.verify(redacted, "--evidence", str(files.deployment.folder)) == 4
    assert "altered evidence: docs/runbook.md" in printed(capsys)


def test_evidence_that_is_not_what_was_assessed_is_not_packed(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    (files.deployment.folder / "docs/runbook.md").write_text("changed")
    (files.deployment.folder / "config/gateway.yaml").unlink()
    assert files.pack() == 4
    told = printed(capsys)
    assert "docs/runbook.md: is not what was assessed: its digest is another; assess again" in told
    assert "config/gateway.yaml: does not exist" in told
    assert not (files.folder / "pack.zip").exists()


def test_evidence_outside_the_folder_is_never_packed(
    files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runbook = files.deployment.folder / "docs/runbook.md"
    (tmp_path / "outside.md").write_bytes(runbook.read_bytes())
    runbook.unlink()
    runbook.symlink_to(tmp_path / "outside.md")
    assert files.pack() == 4
    assert "docs/runbook.md: lies outside the evidence root" in printed(capsys)
    files.deployment.drop("docs/runbook.md", keep=True)
    files.deployment.manifest["evidence"].append({"path": "../outside.md", "collected": "2026-11-20"})
    assert files.deployment.run("--evidence-root", str(tmp_path), "-o", f"json={files.json}", "--force") == 0
    assert files.pack() == 0
    withheld = json.loads(parts(files.folder / "pack.zip")["index.json"])["withheld"]
    assert [(entry["path"], entry["why"]) for entry in withheld] == [
        ("../outside.md", "it does not lie below the folder of the manifest")
    ]
    assert files.verify(files.path("pack.zip")) == 0


def test_evidence_that_could_not_be_read_is_named(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    files.deployment.drop("docs/runbook.md")
    files.deployment.manifest["evidence"].append({"path": "docs/runbook.md", "collected": "2026-11-20"})
    files.assess()
    assert files.pack() == 0
    assert "not in it: 1 file" in printed(capsys)
    assert files.verify(files.path("pack.zip")) == 0
    assert "files that the assessment has no digest of: docs/runbook.md" in printed(capsys)


def test_without_a_key_it_is_not_signed(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(files.deployment.folder)
    assert main.run(["pack", str(files.json), "-o", files.path("plain.zip"), "--evidence", folder]) == 0
    assert "assessment.json.intoto.jsonl" not in parts(files.folder / "plain.zip")
    assert files.verify(files.path("plain.zip")) == 4
    assert "not verified: not signed (exit 4)" in printed(capsys)
    assert files.verify(files.path("plain.zip"), "--unsigned", key=None) == 0


def test_a_file_that_changes_while_it_is_packed_is_noticed(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    write = packs.write

    def late(target: Path, members: Iterable[packs.Member]) -> None:
        (files.deployment.folder / "docs/runbook.md").write_text("changed")
        write(target, members)

    monkeypatch.setattr(packs, "write", late)
    assert files.pack() == 4
    assert not (files.folder / "pack.zip").exists()


def test_a_disk_that_is_full_is_named(
    files: Files, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(packs, "write", full)
    assert files.pack() == 2
    assert f"cannot write {files.path('pack.zip')}: No space left on device" in printed(capsys)
    assert not list(files.folder.glob("*pack.zip*"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--as-of", "2026-11-22"), "is an assessment already; leave out --as-of and --rubric"),
        (("--evidence", "/no/such/folder"), "is no folder"),
        (("-o", "{deployment}/docs/runbook.md", "--force"), "would overwrite an input"),
        (("-o", "{folder}/assessment.json", "--force"), "would overwrite an input"),
        (("-o", "{folder}/report.html"), "is there already"),
        (("--key", "{folder}/key.pub.pem"), "holds no private key"),
    ],
)
def test_what_cannot_be_packed_is_refused(
    files: Files, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], message: str
) -> None:
    given = [option.format(folder=files.folder, deployment=files.deployment.folder) for option in options]
    assert files.pack(None, *given) == 2
    assert message in printed(capsys)
    assert not (files.folder / "pack.zip").exists()


@pytest.mark.parametrize("content", [None, b"{", b'{"schema": "psf-audit/assessment/1"}', b"a: b"])
def test_what_is_neither_manifest_nor_assessment_is_refused(
    files: Files, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    path = files.folder / "other"
    if content is not None:
        path.write_bytes(content)
    assert files.pack(path) == 2
    assert printed(capsys)


# ------------------------------------------------------------------------------------------------------------ verifying


def test_it_verifies(files: Files, packed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert files.verify(packed) == 0
    told = printed(capsys)
    count = len(parts(packed))
    assert f"the {count} files of the pack, by its index" in told
    assert f"{count - 1} files, byte for byte, signed" in told
    assert "5 files of the manifest and the evidence, by digest" in told
    assert "reports of the pack, which this assessment renders to" in told
    assert files.verify(packed, key="other.pub.pem") == 4


def change(name: str, data: bytes = b"changed") -> Callable[[Parts], None]:
    return lambda found: found.update({name: data})


def lose(name: str) -> Callable[[Parts], None]:
    def edited(found: Parts) -> None:
        del found[name]

    return edited


def index(edit: Callable[[dict[str, Any]], Any]) -> Callable[[Parts], None]:
    """Change a pack and its index with it, as somebody would who has no key."""

    def edited(found: Parts) -> None:
        value = json.loads(found["index.json"])
        edit(value)
        found["index.json"] = json.dumps(value).encode()

    return edited


def replaced(name: str, data: bytes) -> Callable[[Parts], None]:
    def edited(found: Parts) -> None:
        found[name] = data
        digest = packs.Member.of(name, "", data).sha256
        index(lambda value: [entry.update(sha256=digest) for entry in value["files"] if entry["path"] == name])(found)

    return edited


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (change("deployment/docs/runbook.md"), "altered pack: deployment/docs/runbook.md was changed"),
        (change("deployment/docs/runbook.md"), "altered evidence: docs/runbook.md has the digest"),
        (lose("deployment/docs/runbook.md"), "altered pack: deployment/docs/runbook.md is in the index of the pack"),
        (lose("deployment/docs/runbook.md"), "missing evidence: docs/runbook.md is not in the pack"),
        (change("deployment/more.md"), "altered pack: deployment/more.md is in the pack, and not in its index"),
        (change("reports/markdown.md"), "reports that are not what the assessment renders to: markdown"),
        (change("assessment.json"), "altered report: assessment.json is not JSON"),
        (lose("assessment.json"), "the pack has no assessment.json"),
        (lose("index.json"), "the pack has no index.json"),
        (lose("assessment.json.intoto.jsonl"), "not signed: "),
        (change("index.json"), "the index of the pack is not JSON"),
        (change("index.json", b"{}"), "the index of the pack does not have the form of psf-audit/pack/1"),
        (index(lambda value: value.update(redacted=True)), "altered report: index.json is not what was signed"),
        (replaced("reports/markdown.md", b"all is well"), "altered report: reports/markdown.md is not what was signed"),
        (replaced("index.md", b"all is well"), "altered report: index.md is not what was signed"),
    ],
)
def test_what_was_changed_is_named(
    files: Files, packed: Path, capsys: pytest.CaptureFixture[str], edit: Callable[[Parts], None], message: str
) -> None:
    assert files.verify(repacked(packed, edit)) == 4
    assert message in printed(capsys)


@pytest.mark.parametrize("name", ["reports/markdown.md", "reports/html.html"])
def test_a_report_that_says_something_else_is_caught_without_any_signature(
    files: Files, packed: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    data = parts(packed)[name].replace(b"Every blocking", b"No blocking")
    changed = repacked(packed, replaced(name, data))
    assert files.verify(changed, "--unsigned", key=None) == 4
    assert f"reports that are not what the assessment renders to: {name[8:].partition('.')[0]}" in printed(capsys)


def test_reports_of_another_version_rest_on_their_signature(
    files: Files, packed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered = output.rendered
    monkeypatch.setattr("psf_audit.cli.verify.rendered", lambda *given: rendered(*given) + b"more")
    assert files.verify(packed) == 4
    monkeypatch.setattr("psf_audit.__version__", "9.9.9")
    assert files.verify(packed) == 0
    assert "what these reports say, written by psf-audit" in printed(capsys)


def test_no_pack_passes_with_any_byte_of_its_contents_changed(packed: Path) -> None:
    """Every file of a pack is signed, its index and reports too."""
    found = unpack.read(packed)
    signed = {file.name for file in found.others} | {packs.ASSESSMENT, packs.ATTESTATION}
    assert signed == found.digests.keys()


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("../evil", {}, "'../evil', a path that leads out of it or is none"),
        ("/etc/passwd", {}, "a path that leads out"),
        ("a/../../b", {}, "a path that leads out"),
        ("a\\b", {}, "a path that leads out"),
        ("C:evil", {}, "a path that leads out"),
        ("folder/", {}, "a path that leads out"),
        ("link", {"external_attr": (stat.S_IFLNK | 0o777) << 16}, "'link', which is no plain file"),
        ("device", {"external_attr": (stat.S_IFCHR | 0o666) << 16}, "which is no plain file"),
        ("small", {"compress_type": zipfile.ZIP_DEFLATED}, "which is encrypted or compressed"),
        ("later", {"date_time": (2026, 1, 1, 0, 0, 0)}, "was written again by another program"),
        ("mode", {"external_attr": (stat.S_IFREG | 0o777) << 16}, "was written again by another program"),
        ("comment", {"comment": b"note"}, "was written again by another program"),
    ],
)
def test_archives_that_are_not_safe_to_read_are_refused(
    files: Files, capsys: pytest.CaptureFixture[str], name: str, changes: dict[str, Any], message: str
) -> None:
    put(files.folder / "evil.zip", [(name, b"x")], **changes)
    assert files.verify(files.path("evil.zip")) == 4
    assert message in printed(capsys)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_refused(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    put(files.folder / "twice.zip", [("a", b"1"), ("a", b"2")])
    assert files.verify(files.path("twice.zip")) == 4
    assert "the pack holds 'a' twice" in printed(capsys)


def test_archives_beyond_the_bounds_are_not_expanded(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    put(files.folder / "bomb.zip", [("index.json", b"0" * 2_000_000)])
    monkeypatch.setattr(unpack, "MAX_BYTES", 1_000_000)
    with pytest.raises(IntegrityError, match="in the pack is larger than"):
        unpack.read(files.folder / "bomb.zip")
    monkeypatch.setattr(unpack, "MAX_EXPANDED", 1_000_000)
    with pytest.raises(IntegrityError, match="is of more than"):
        unpack.read(files.folder / "bomb.zip")
    monkeypatch.setattr(unpack, "MAX_MEMBERS", 0)
    with pytest.raises(IntegrityError, match="more than 0 files"):
        unpack.read(files.folder / "bomb.zip")


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.99])
def test_archives_that_are_cut_are_refused(
    files: Files, packed: Path, capsys: pytest.CaptureFixture[str], keep: float
) -> None:
    data = packed.read_bytes()
    packed.write_bytes(data[: int(len(data) * keep)])
    assert files.verify(packed) == 4
    assert "the pack is damaged" in printed(capsys)


def test_no_pack_passes_with_any_byte_changed(files: Files, packed: Path) -> None:
    data, whole = packed.read_bytes(), unpack.read(packed)
    missed = []
    for changed, place in mutated(data, 400):
        packed.write_bytes(changed)
        try:
            found = unpack.read(packed)
        except IntegrityError:
            continue
        if found.digests == whole.digests:  # else what is signed is not what is there
            missed.append(place)
    assert missed == []
    assert files.verify(packed) == 4


def test_no_size_in_the_directory_can_be_another(packed: Path) -> None:
    """A size that no plain header can hold is another program's, and no crash of this one."""
    data = packed.read_bytes()
    start = data.index(b"PK\1\2")
    for place in range(start + 20, start + 28):  # of the first entry: its size in the archive, and its own
        for value in {0x00, 0x7F, 0xA4, 0xFF} - {data[place]}:
            packed.write_bytes(data[:place] + bytes([value]) + data[place + 1 :])
            with pytest.raises(IntegrityError):
                unpack.read(packed)


def mutated(data: bytes, count: int) -> Iterator[tuple[bytes, int]]:
    """The bytes with one of them changed, and where; half of the places are in what stands around the files."""
    drawn = random.Random(20261122)  # noqa: S311
    around = [place for name in (b"PK\3\4", b"PK\1\2", b"PK\5\6") for place in _headers(data, name)]
    for number in range(count):
        place = drawn.choice(around) if number % 2 else drawn.randrange(len(data))
        yield data[:place] + bytes([data[place] ^ drawn.randrange(1, 256)]) + data[place + 1 :], place


def _headers(data: bytes, start: bytes) -> Iterator[int]:
    place = data.find(start)
    while place >= 0:
        yield from range(place, min(place + 46, len(data)))
        place = data.find(start, place + 1)
