"""Keys, passwords and the time of a signature, from where users keep them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from psf_audit.errors import ConfigurationError, Unreadable

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

    from psf_audit.attestation import Made
    from psf_audit.model import Assessment

KeyOption = Annotated[Path, typer.Option("--key", metavar="PEM", help="The private Ed25519 key to sign with.")]
PasswordOption = Annotated[
    str | None, typer.Option("--password-env", metavar="NAME", help="Environment variable with the key's password.")
]
AtOption = Annotated[
    str | None,
    typer.Option("--at", metavar="TIME", help="Time of signing, as 2026-11-22T12:00:00Z; now if not given."),
]
ResourceOption = Annotated[
    str | None,
    typer.Option("--resource", metavar="URI", help="What it is about; made of the deployment's name if not given."),
]
VerifierOption = Annotated[
    str | None, typer.Option("--verifier", metavar="URI", help="Who assessed; made of the key's id if not given.")
]

MAX_KEY_BYTES = 2**16


def private_key(path: Path, password_env: str | None) -> Ed25519PrivateKey:
    """The private key in a file.

    Raises:
        ConfigurationError: it cannot be read or opened, or the variable with its password is not set.
    """
    from psf_audit import signing

    password = None
    if password_env is not None:
        found = os.environ.get(password_env)
        if not found:
            raise ConfigurationError(f"the environment variable {password_env} is not set")
        password = found.encode()
    return signing.private_key(_pem(path), password, str(path))


def public_key(path: Path) -> Ed25519PublicKey:
    """The public key in a file; errors as `private_key`."""
    from psf_audit import signing

    return signing.public_key(_pem(path), str(path))


def _pem(path: Path) -> bytes:
    """The start of a file, as much of it as any key takes: what is longer is none, and is told as such."""
    from psf_audit.reading import opened

    try:
        with opened(path) as stream:
            return stream.read(MAX_KEY_BYTES)
    except Unreadable as error:
        raise ConfigurationError(f"the key {path} {error}") from error


def made(
    assessment: Assessment, key: Ed25519PrivateKey, *, at: str | None, resource: str | None, verifier: str | None
) -> Made:
    """How an attestation is made: when, by whom, about what.

    Raises:
        ConfigurationError: a time that is none, or a name that is no URI.
    """
    from psf_audit import __version__, attestation, signing

    return attestation.Made(
        at=moment(at),
        tool=f"psf-audit {__version__}",
        verifier=_uri("--verifier", verifier) or f"urn:psf-audit:key:{signing.key_id(key.public_key())}",
        resource=_uri("--resource", resource) or attestation.resource_of(assessment),
    )


def _uri(option: str, text: str | None) -> str | None:
    import re

    if text is not None and not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+", text):
        raise ConfigurationError(f"{option} {text!r} is no URI", hint="for example https://example.com/agents/indexer")
    return text


def moment(text: str | None) -> str:
    """A time in UTC to the second, RFC 3339: the one given, that of SOURCE_DATE_EPOCH, or now.

    Raises:
        ConfigurationError: it is none.
    """
    from datetime import UTC, datetime

    if text is not None:
        return _written(_parsed(text))
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if not epoch:
        return _written(datetime.now(UTC))
    try:
        return _written(datetime.fromtimestamp(int(epoch), UTC))
    except (ValueError, OverflowError, OSError):
        raise ConfigurationError(f"SOURCE_DATE_EPOCH {epoch!r} is no time", hint="it is a number of seconds") from None


def _parsed(text: str) -> datetime:
    from datetime import UTC, datetime

    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise ConfigurationError(f"--at {text!r} is no time", hint="write it as 2026-11-22T12:00:00Z") from None


def _written(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
