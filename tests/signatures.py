"""Keys that are known to everybody, and signed reports made with them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from psf_audit import attestation, pages, signing, verification, wire
from psf_audit.attestation import Made, SignedFile
from psf_audit.cli import main, output
from psf_audit.cli.verify import means
from tests.deployments import AS_OF, Deployment

if TYPE_CHECKING:
    from datetime import date

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
AT = "2026-11-22T12:00:00Z"
PASSWORD = "correct horse"


def private_pem(key: Ed25519PrivateKey = KEY, password: str | None = None) -> bytes:
    """A private key as a PEM file."""
    locked = forms.BestAvailableEncryption(password.encode()) if password else forms.NoEncryption()
    return key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, locked)


def public_pem(key: Ed25519PrivateKey = KEY) -> bytes:
    """The public half as a PEM file."""
    return key.public_key().public_bytes(forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo)


class Files:
    """A deployment that is ready, its reports, keys, and the commands about them."""

    def __init__(self, deployment: Deployment, folder: Path) -> None:
        """Assess it and write the reports and keys."""
        self.deployment = deployment
        self.folder = folder
        self.json, self.html = folder / "assessment.json", folder / "report.html"
        for name, key in (("key", KEY), ("other", OTHER)):
            (folder / f"{name}.pem").write_bytes(private_pem(key))
            (folder / f"{name}.pub.pem").write_bytes(public_pem(key))
        self.assess()

    def assess(self) -> None:
        """Write the reports, again."""
        assert self.deployment.run("-o", f"json={self.json}", "-o", f"html={self.html}", "--force") in {0, 1, 3}

    def path(self, name: str) -> str:
        """A file in the folder."""
        return str(self.folder / name)

    def attest(self, report: Path, *options: str) -> int:
        """The exit code of `psf-audit attest`."""
        return main.run(["attest", str(report), "--key", self.path("key.pem"), "--at", AT, *options])

    def verify(self, report: Path | str, *options: str, key: str | None = "key.pub.pem", day: date = AS_OF) -> int:
        """The exit code of `psf-audit verify`."""
        keyed = [] if key is None else ["--key", self.path(key)]
        return main.run(["verify", str(report), *keyed, "--as-of", day.isoformat(), *options])

    def pack(self, source: Path | None = None, *options: str, output: str = "pack.zip") -> int:
        """The exit code of `psf-audit pack`."""
        given = [str(source or self.json), "-o", self.path(output), "--evidence", str(self.deployment.folder)]
        return main.run(["pack", *given, "--key", self.path("key.pem"), "--at", AT, *options])


@cache
def made() -> Made:
    """How attestations of tests are made."""
    return Made(AT, "psf-audit 0.1.0", "urn:test:verifier", "urn:test:deployment")


def signed(value: dict[str, Any], *files: SignedFile, key: Ed25519PrivateKey = KEY) -> tuple[attestation.Envelope, ...]:
    """The envelopes of an assessment as JSON."""
    return signing.attest(wire.from_json(value), value, files, made(), key)


def signed_json(value: dict[str, Any]) -> tuple[bytes, bytes]:
    """An assessment as a file, and its attestation."""
    data = wire.dumps(value).encode()
    return data, attestation.bundle(signed(value, SignedFile("assessment.json", attestation.digest(data))))


def signed_page(value: dict[str, Any]) -> bytes:
    """The HTML report of an assessment with its attestation in it."""
    page = pages.read(output.rendered(wire.from_json(value), "html"))
    return page.signed(attestation.embedded(signed(value, SignedFile("report.html", page.sha256, "page"))))


def faults(given: verification.Given, key: Ed25519PrivateKey | None = KEY, **wanted: Any) -> list[verification.Note]:
    """What is wrong with a report."""
    public = None if key is None else key.public_key()
    asked = verification.Wanted(**{"day": AS_OF, "key": public, **wanted})
    return [note for note in verification.verify(given, asked, means()) if note.kind.is_fault]


def passes(given: verification.Given) -> bool:
    """Whether a report passes with the right key; it stops at the first fault."""
    asked = verification.Wanted(day=AS_OF, key=KEY.public_key())
    return not any(note.kind.is_fault for note in verification.verify(given, asked, means()))
