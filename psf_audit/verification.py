"""Whether a report is what was signed: what was checked, what was not, and everything that is wrong.

Decided from bytes. Files are read, and pages rendered, by functions that are handed in.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from psf_audit import attestation, pages, signing, wire
from psf_audit.errors import ConfigurationError, IntegrityError, Unreadable
from psf_audit.reading import decode, parse_json
from psf_audit.text import one_line, plural, safe

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from psf_audit.attestation import Envelope, SignedFile, Statements
    from psf_audit.model import Assessment


class Kind(StrEnum):
    """What a note says; every kind but the first two is a fault."""

    CHECKED = "checked"
    UNCHECKED = "not checked"
    NOT_SIGNED = "not signed"
    WRONG_KEY = "wrong key"
    BAD_SIGNATURE = "altered attestation"
    ALTERED_REPORT = "altered report"
    ALTERED_PACK = "altered pack"
    ALTERED_EVIDENCE = "altered evidence"
    MISSING_EVIDENCE = "missing evidence"
    EXPIRED = "expired"
    OTHER_RUBRIC = "other rubric"
    OTHER_RESOURCE = "other resource"

    @property
    def is_fault(self) -> bool:
        """Whether nothing may pass with it."""
        return self not in {Kind.CHECKED, Kind.UNCHECKED}


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that was found."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the reader of a report expects of it, on which day; None is not asked for.

    `key` None checks that a report agrees with itself, and nothing else.
    """

    day: date
    key: Ed25519PublicKey | None
    max_age_days: int | None = None
    rubric_digest: str | None = None
    resource: str | None = None


@dataclass(frozen=True, slots=True)
class Means:
    """What verifying needs from outside: this version, its reports by the names of formats, digests of evidence files.

    `digest_of` is None where no evidence is at hand; else it raises `Unreadable` for what is not there. What is
    `withheld` is not asked for.
    """

    tool: str
    render: Callable[[Assessment, str], bytes]
    formats: frozenset[str]
    digest_of: Callable[[str], str] | None = None
    withheld: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Given:
    """A report as it came: its name, its bytes, and the attestation beside it (None where a page carries its own).

    `others` are further files that must be signed with it, and no more than those: the rest of a pack.
    """

    name: str
    data: bytes
    sidecar: bytes | None = None
    others: tuple[SignedFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """A report as it was found: JSON, or an HTML page."""

    name: str
    sha256: str
    page: pages.Page | None
    value: Any

    @property
    def form(self) -> str:
        """What the digest is made of; see `attestation.SignedFile`."""
        return "bytes" if self.page is None else "page"


def read_report(name: str, data: bytes) -> Report:
    """A report in bytes.

    Raises:
        IntegrityError: it is neither a page of an assessment nor JSON.
    """
    if data.lstrip()[:1] == b"<":
        page = pages.read(data)
        return Report(name, page.sha256, page, page.value())
    try:
        return Report(name, attestation.digest(data), None, parse_json(decode(data)))
    except Unreadable as error:
        hint = "give an assessment as JSON, an HTML report, or a pack"
        raise IntegrityError(f"{name} {error}", hint=hint) from error


# ----------------------------------------------------------------------------------------------------------- deciding


def verify(given: Given, wanted: Wanted, means: Means) -> Iterator[Note]:
    """Everything that is found about a report, the cheap and decisive things first."""
    try:
        report = read_report(given.name, given.data)
    except IntegrityError as error:
        yield Note(Kind.ALTERED_REPORT, _words(error))
        return
    statements = None
    if wanted.key is not None:
        envelopes = yield from _envelopes(report, given.sidecar)
        if envelopes:
            yield from _signatures(envelopes, wanted.key)
            statements = yield from _statements(envelopes)
    if statements is not None:
        yield from _signed_report(report, statements, given.others)
    assessment = yield from _assessment(report)
    if assessment is None:
        return
    if statements is not None:
        yield from _statements_agree(statements, report, assessment)
    yield from _page(report, assessment, statements, means)
    yield from _expected(assessment, statements, wanted)
    yield from _evidence(attestation.evidence(report.value), means)
    yield from _standing(wanted)


def _words(error: IntegrityError | ConfigurationError) -> str:
    return error.message + (f"; {error.hint}" if error.hint else "")


def _envelopes(report: Report, sidecar: bytes | None) -> Generator[Note, None, tuple[Envelope, ...]]:
    """Generator that returns the envelopes, none where there is nothing to check."""
    try:
        if sidecar is not None:
            return attestation.read_bundle(sidecar)
        if report.page is not None and report.page.signature is not None:
            return attestation.read_embedded(report.page.signature)
    except IntegrityError as error:
        yield Note(Kind.BAD_SIGNATURE, _words(error))
        return ()
    yield Note(Kind.NOT_SIGNED, f"{report.name} carries no attestation, and none is given with --attestation")
    return ()


def _signatures(envelopes: Iterable[Envelope], key: Ed25519PublicKey) -> Iterator[Note]:
    wanted, good = signing.key_id(key), True
    for envelope in envelopes:
        named = hmac.compare_digest(envelope.key_id.encode(), wanted.encode())
        signed = signing.is_signed(envelope, key)
        good = good and named and signed
        if not named and not signed:
            who = safe(one_line(envelope.key_id), limit=80)
            yield Note(Kind.WRONG_KEY, f"it is signed with the key {who}, not with {wanted}")
        elif not (named and signed):
            yield Note(
                Kind.BAD_SIGNATURE, f"what is signed was changed: the signature of the key {wanted} does not fit"
            )
    if good:
        yield Note(Kind.CHECKED, f"both statements are signed with the key {wanted} (Ed25519)")


def _statements(envelopes: tuple[Envelope, ...]) -> Generator[Note, None, Statements | None]:
    """Generator that returns the statements, None where they cannot be read."""
    try:
        return attestation.read_statements(envelopes)
    except IntegrityError as error:
        yield Note(Kind.BAD_SIGNATURE, _words(error))
        return None


def _signed_report(report: Report, statements: Statements, others: tuple[SignedFile, ...]) -> Iterator[Note]:
    """Whether the bytes at hand are those that the statement speaks for."""
    given = (attestation.SignedFile(report.name, report.sha256, report.form), *others)
    signed = statements.files
    if not others and len(signed) == 1:  # a report alone may have been given another name
        same = hmac.compare_digest(signed[0].sha256, report.sha256) and signed[0].form == report.form
        if not same:
            yield Note(Kind.ALTERED_REPORT, f"{report.name} is not the file that was signed, {_name(signed[0])}")
            return
    else:
        wrong = sorted({file.name for file in set(given) ^ set(signed)})
        for name in wrong:
            yield Note(Kind.ALTERED_REPORT, f"{safe(one_line(name))} is not what was signed")
        if wrong:
            return
    made = statements.made
    what = "the page, byte for byte," if report.page else f"{plural(len(signed), 'file')}, byte for byte,"
    yield Note(Kind.CHECKED, f"{what} signed at {safe(made.at)} by {safe(made.tool)} for {safe(made.verifier)}")


def _name(file: SignedFile) -> str:
    return safe(one_line(file.name))


def _assessment(report: Report) -> Generator[Note, None, Assessment | None]:
    """Generator that returns the assessment in a report, None where there is none that holds."""
    try:
        assessment = wire.from_json(report.value, report.name)
    except ConfigurationError as error:
        yield Note(Kind.ALTERED_REPORT, error.message)
        return None
    told = assessment.deployment
    what = safe(one_line(f"{told.name} {told.release}, {told.environment}"), limit=200)
    verdict = f"{what}: {assessment.verdict.label}, as of {assessment.as_of}"
    yield Note(Kind.CHECKED, f"the verdict, scores and coverage follow from the controls: {verdict}")
    return assessment


def _statements_agree(statements: Statements, report: Report, assessment: Assessment) -> Iterator[Note]:
    try:
        given, signed = (attestation.canonical_bytes(value) for value in (report.value, _signed_value(statements)))
    except IntegrityError as error:
        yield Note(Kind.ALTERED_REPORT, _words(error))
        return
    if given != signed:
        yield Note(Kind.ALTERED_REPORT, "the assessment in the report is not the one that was signed")
        return
    wrong = list(attestation.disagreements(statements, assessment))
    for text in wrong:
        yield Note(Kind.BAD_SIGNATURE, text)
    if not wrong:
        result = statements.summary["predicate"]["verificationResult"]
        yield Note(Kind.CHECKED, f"the signed statements are those of this assessment; the summary says {result}")


def agreement(report: Report, means: Means) -> Iterator[Note]:
    """Whether a report agrees with itself: its assessment, and a page with that."""
    assessment = yield from _assessment(report)
    if assessment is not None:
        yield from _page(report, assessment, None, means)


def _signed_value(statements: Statements) -> Any:
    return statements.predicate["assessment"]


def _page(report: Report, assessment: Assessment, statements: Statements | None, means: Means) -> Iterator[Note]:
    """Whether a page says what its assessment says."""
    if report.page is None:
        return
    expected = means.render(assessment, "html")
    if expected == report.page.bare:
        yield Note(Kind.CHECKED, "the page is, byte for byte, the one that this assessment renders to")
        return
    try:
        page = decode(report.page.bare)
    except Unreadable as error:
        yield Note(Kind.ALTERED_REPORT, f"the page {error}")
        return
    found = list(pages.differences(page, decode(expected)))
    writer = None if statements is None else statements.made.tool
    if found and writer not in {None, means.tool}:
        text = f"the text of the page: it was written by {safe(str(writer))}, whose pages {means.tool} does not write"
        yield Note(Kind.UNCHECKED, f"{text}; the signature covers its bytes")
        return
    for text in found:
        yield Note(Kind.ALTERED_REPORT, text)
    if not found:
        yield Note(Kind.CHECKED, "all that the page says is what this assessment renders to")
        if statements is None:
            yield Note(Kind.UNCHECKED, "the shapes in its pictures, which depend on the version that drew them")


def reports(data: bytes, found: Mapping[str, bytes], writer: str, wanted: Wanted, means: Means) -> Iterator[Note]:
    """Whether the reports beside an assessment, by the names of their formats, are what it renders to."""
    try:
        assessment = wire.from_json(parse_json(decode(data)))
    except (ConfigurationError, Unreadable):
        return  # which `verify` says
    same, others = 0, []
    for name, report in found.items():
        if name in means.formats and _is_rendering(name, report, means.render(assessment, name)):
            same += 1
        else:
            others.append(safe(one_line(name), limit=40))
    if same:
        yield Note(Kind.CHECKED, f"{plural(same, 'report')} of the pack, which this assessment renders to")
    if others and writer != means.tool and wanted.key is not None:
        text = f"what these reports say, written by {safe(one_line(writer), limit=40)}: {', '.join(others)}"
        yield Note(Kind.UNCHECKED, f"{text}; the signature covers their bytes")
    elif others:
        yield Note(Kind.ALTERED_REPORT, f"reports that are not what the assessment renders to: {', '.join(others)}")


def _is_rendering(name: str, report: bytes, expected: bytes) -> bool:
    if report == expected:
        return True
    if name != "html":
        return False
    try:
        return next(pages.differences(decode(report), decode(expected)), None) is None
    except Unreadable:
        return False


def _expected(assessment: Assessment, statements: Statements | None, wanted: Wanted) -> Iterator[Note]:
    yield from _time(assessment, wanted)
    yield from _rubric(assessment, wanted.rubric_digest)
    yield from _resource(statements, wanted.resource)


def _time(assessment: Assessment, wanted: Wanted) -> Iterator[Note]:
    day, until = wanted.day, assessment.valid_until
    if assessment.as_of > day:
        yield Note(Kind.EXPIRED, f"the assessment is of {assessment.as_of}, which is after {day}")
    if until is None:
        yield Note(Kind.UNCHECKED, "until when it is valid: no evidence in it proves anything that could go stale")
    elif until < day:
        yield Note(Kind.EXPIRED, f"the assessment was valid until {until}; it is {day}")
    else:
        yield Note(Kind.CHECKED, f"it is valid until {until}; it is {day}")
    if wanted.max_age_days is None:
        yield Note(Kind.UNCHECKED, "its age: give --max-age")
    elif assessment.as_of < day - timedelta(days=wanted.max_age_days):
        age = plural((day - assessment.as_of).days, "day")
        yield Note(Kind.EXPIRED, f"the assessment is {age} old, more than {plural(wanted.max_age_days, 'day')}")
    else:
        yield Note(Kind.CHECKED, f"it is no older than {plural(wanted.max_age_days, 'day')}")


def _rubric(assessment: Assessment, digest: str | None) -> Iterator[Note]:
    rubric = assessment.rubric
    named = f"{rubric.id}@{rubric.version}"
    found = attestation.bare_digest(rubric.content_digest)
    if digest is None:
        text = f"that the rubric {named} is the one you agreed on: give --rubric-digest ({found})"
        yield Note(Kind.UNCHECKED, text)
    elif found is None or not hmac.compare_digest(found, digest):
        yield Note(Kind.OTHER_RUBRIC, f"it was assessed by {named}, digest {found}, not by {digest}")
    else:
        yield Note(Kind.CHECKED, f"it was assessed by {named}, digest {found}")


def _resource(statements: Statements | None, resource: str | None) -> Iterator[Note]:
    found = None if statements is None else statements.made.resource
    if resource is None:
        if found is not None:
            text = f"that it is about the deployment you mean: give --resource ({safe(one_line(found))})"
            yield Note(Kind.UNCHECKED, text)
    elif found is None:
        yield Note(Kind.OTHER_RESOURCE, "nothing signed says what it is about")
    elif not hmac.compare_digest(found.encode(), resource.encode()):
        yield Note(Kind.OTHER_RESOURCE, f"it is about {safe(one_line(found))}, not {resource}")
    else:
        yield Note(Kind.CHECKED, f"it is about {resource}")


def _evidence(digests: dict[str, str | None], means: Means) -> Iterator[Note]:
    undigested = [path for path, digest in digests.items() if digest is None]
    if undigested:
        named = safe(one_line(", ".join(undigested)), limit=200)
        yield Note(Kind.UNCHECKED, f"files that the assessment has no digest of: {named}")
    if means.digest_of is None:
        yield Note(Kind.UNCHECKED, "the manifest and the evidence files: give --evidence DIR")
        return
    if means.withheld:
        named = safe(one_line(", ".join(sorted(means.withheld))), limit=200)
        yield Note(Kind.UNCHECKED, f"files that were withheld, of which only digests are signed: {named}")
    good = 0
    for path, digest in digests.items():
        if digest is None or path in means.withheld:
            continue
        try:
            found = means.digest_of(path)
        except Unreadable as error:
            yield Note(Kind.MISSING_EVIDENCE, f"{safe(one_line(path))} {error}")
            continue
        if hmac.compare_digest(found, digest):
            good += 1
        else:
            yield Note(Kind.ALTERED_EVIDENCE, f"{safe(one_line(path))} has the digest {found}, not {digest}")
    if good:
        yield Note(Kind.CHECKED, f"{plural(good, 'file')} of the manifest and the evidence, by digest")


def _standing(wanted: Wanted) -> Iterator[Note]:
    """What no signature shows."""
    if wanted.key is None:
        yield Note(Kind.UNCHECKED, "who made it, and whether somebody wrote all of it anew: without --key nothing is")
    else:
        yield Note(Kind.UNCHECKED, "whose key that is: ask its owner for the id, by another way than this file came")
    yield Note(Kind.UNCHECKED, "whether the evidence was true when it was written: see the limits in the report")
