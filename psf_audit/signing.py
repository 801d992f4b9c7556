"""Ed25519 keys, and signatures with them.

`cryptography` does the work and is imported when there is something to sign or to verify.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psf_audit import attestation, canonical
from psf_audit.attestation import PAYLOAD_TYPE, Envelope
from psf_audit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

    from psf_audit.attestation import Made, SignedFile
    from psf_audit.model import Assessment

_HOW = "make one with `openssl genpkey -algorithm ed25519 -out key.pem`"
_HOW_PUBLIC = "write it with `openssl pkey -in key.pem -pubout -out key.pub.pem`"


def private_key(pem: bytes, password: bytes | None, name: str) -> Ed25519PrivateKey:
    """The private key in a PEM file; `name` is what messages call it.

    Raises:
        ConfigurationError: it holds no such key, or does not open with this password.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, password)
    except TypeError as error:
        if password is None:
            hint = "name the environment variable with it: --password-env NAME"
            raise ConfigurationError(f"the key {name} needs a password", hint=hint) from error
        hint = "leave out --password-env"
        raise ConfigurationError(f"the key {name} has no password, and one is given", hint=hint) from error
    except Exception as error:
        if password is not None:
            raise ConfigurationError(f"the key {name} does not open with this password") from error
        raise ConfigurationError(f"{name} holds no private key that can be read", hint=_HOW) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"the key {name} is no Ed25519 key", hint=_HOW)
    return key


def public_key(pem: bytes, name: str) -> Ed25519PublicKey:
    """The public key in a PEM file; `name` is what messages call it.

    Raises:
        ConfigurationError: it holds no such key, or a private one.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if b"PRIVATE KEY" in pem:
        raise ConfigurationError(f"{name} holds a private key: only who signs may have it", hint=_HOW_PUBLIC)
    try:
        key = load_pem_public_key(pem)
    except Exception as error:
        raise ConfigurationError(f"{name} holds no public key that can be read", hint=_HOW_PUBLIC) from error
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigurationError(f"the key {name} is no Ed25519 key", hint=_HOW)
    return key


def key_id(key: Ed25519PublicKey) -> str:
    """The id of a key, as securesystemslib computes it: the SHA-256 of its canonical JSON."""
    described = {"keytype": "ed25519", "keyval": {"public": key.public_bytes_raw().hex()}, "scheme": "ed25519"}
    return attestation.digest(canonical.dumps(described))


def sign(statement: dict[str, Any], key: Ed25519PrivateKey) -> Envelope:
    """A statement in an envelope."""
    payload = attestation.canonical_bytes(statement)
    signature = key.sign(attestation.pre_authentication(PAYLOAD_TYPE, payload))
    return Envelope(payload, PAYLOAD_TYPE, key_id(key.public_key()), signature)


def attest(
    assessment: Assessment, value: dict[str, Any], files: Sequence[SignedFile], made: Made, key: Ed25519PrivateKey
) -> tuple[Envelope, Envelope]:
    """The two signed statements of an assessment (`value` is its JSON) and of the files that go with it.

    Raises:
        ConfigurationError: the assessment has no digest of its manifest, so that nothing says what it is about.
    """
    if attestation.bare_digest(value["manifest"]["sha256"]) is None:
        raise ConfigurationError("the assessment has no digest of its manifest", hint="assess the deployment again")
    first = sign(attestation.statement(value, files, made), key)
    rests_on = attestation.digest(attestation.line(first))
    return first, sign(attestation.summary(assessment, value, files, made, rests_on), key)


def is_signed(envelope: Envelope, key: Ed25519PublicKey) -> bool:
    """Whether the signature of an envelope is that of a key."""
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(envelope.signature, attestation.pre_authentication(envelope.payload_type, envelope.payload))
    except InvalidSignature:
        return False
    return True
