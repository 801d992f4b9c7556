"""Packs as files that anybody may have made: read within bounds, and held against their own index.

Nothing is ever written to disk, so no name in an archive can lead anywhere.
"""

from __future__ import annotations

import hashlib
import stat
import struct
import zipfile
import zlib
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psf_audit import attestation, collection, pack, schemas
from psf_audit.attestation import SignedFile
from psf_audit.errors import IntegrityError, Unreadable
from psf_audit.reading import MAX_BYTES, MAX_EXPANDED, decode, parse_json
from psf_audit.text import one_line, safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

MAX_MEMBERS = 100_000
_BLOCK = 2**20
_ENCRYPTED = 0x1
_UTF8 = 0x800
# From where on ZIP files have another form.
_FAR = zipfile.ZIP64_LIMIT
_MANY = zipfile.ZIP_FILECOUNT_LIMIT


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What a pack holds: its index, the digest of each file by its path, and the bytes of those that are no evidence.

    `faults` say where it is not what its index says.
    """

    index: dict[str, Any]
    digests: dict[str, str]
    data: dict[str, bytes]
    faults: tuple[str, ...]

    @property
    def others(self) -> tuple[SignedFile, ...]:
        """What must be signed beside the assessment."""
        unsigned = {pack.ASSESSMENT, pack.ATTESTATION}
        return tuple(SignedFile(path, digest) for path, digest in self.digests.items() if path not in unsigned)

    @property
    def withheld(self) -> frozenset[str]:
        """The manifest or evidence that was left out."""
        return frozenset(entry["path"] for entry in self.index["withheld"])

    @property
    def reports(self) -> dict[str, bytes]:
        """The reports, by the name of their format."""
        found = {}
        for path, data in self.data.items():
            if path.startswith(pack.REPORTS):
                found[path.removeprefix(pack.REPORTS).partition(".")[0]] = data
        return found

    def digest_of(self, path: str) -> str:
        """The digest of a manifest or evidence file.

        Raises:
            Unreadable: it is not in the pack.
        """
        start = pack.DEPLOYMENT + path
        found = {
            name.removeprefix(pack.DEPLOYMENT): digest
            for name, digest in self.digests.items()
            if name == start or name.startswith(f"{start}/")
        }
        if not found:
            raise Unreadable("is not in the pack")
        return collection.digest_of(path, found)


def read(path: Path) -> Unpacked:
    """A pack, with all that is wrong in it.

    Raises:
        IntegrityError: it is no archive that is safe to read, or has no index or assessment.
    """
    with _opened(path) as archive:
        infos = _members(archive)
        _check_frame(archive, path)
        index = _index(_bytes(archive, infos, pack.INDEX))
        digests: dict[str, str] = {}
        data: dict[str, bytes] = {}
        for name, info in infos.items():
            if name.startswith(pack.DEPLOYMENT):
                digests[name] = _digest(archive, info)
            else:
                data[name] = _bytes(archive, infos, name)
                digests[name] = attestation.digest(data[name])
    if pack.ASSESSMENT not in data:
        raise IntegrityError(f"the pack has no {pack.ASSESSMENT}")
    return Unpacked(index, digests, data, tuple(_faults(index, digests)))


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError) as error:
        raise IntegrityError(f"the pack is damaged: {safe(one_line(str(error)), limit=200)}") from error
    except OSError as error:
        raise IntegrityError(f"the pack cannot be read: {error.strerror or type(error).__name__}") from error


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Its files by name.

    Raises:
        IntegrityError: one could lead out of the archive, is no plain file or there twice, or all are too large; or
            another program wrote it.
    """
    infos = archive.infolist()
    if len(infos) > MAX_MEMBERS:
        raise IntegrityError(f"the pack holds more than {MAX_MEMBERS} files")
    if sum(info.file_size for info in infos) > MAX_EXPANDED:
        raise IntegrityError(f"the pack is of more than {MAX_EXPANDED // 2**30} GiB")
    found: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        _check(info)
        if info.filename in found:
            raise IntegrityError(f"the pack holds {_shown(info)} twice")
        found[info.filename] = info
    return found


def _check_frame(archive: zipfile.ZipFile, path: Path) -> None:
    """Hold what stands between the files of an archive against what `psf-audit pack` writes there.

    No digest covers it, programs differ in what of it they read, and something could be hidden in it.

    Raises:
        IntegrityError: it is something else.
    """
    infos, names = archive.infolist(), archive.namelist()
    with path.open("rb") as stream:
        same = names == sorted(names) and all(map(_is_ours, infos)) and _is_framed(infos, archive.start_dir, stream)
    if not same:
        hint = "ask for the file that `psf-audit pack` wrote"
        raise IntegrityError("the pack was written again by another program", hint=hint)


def _is_framed(infos: Sequence[zipfile.ZipInfo], directory: int, stream: BinaryIO) -> bool:
    """Whether the files follow each other from the first byte, each with its own header, and one end after them."""
    place = 0
    for info in infos:
        large = info.file_size * 1.05 > zipfile.ZIP64_LIMIT  # as zipfile decides, which then writes the sizes twice
        bare = copy(info)
        bare.extra, bare.create_version, bare.extract_version = b"", zipfile.DEFAULT_VERSION, zipfile.DEFAULT_VERSION
        header = bare.FileHeader(zip64=large)
        stream.seek(info.header_offset)
        if info.header_offset != place or stream.read(len(header)) != header:
            return False
        place += len(header) + info.compress_size
    stream.seek(place)
    rest = stream.read(MAX_BYTES)
    if len(rest) > _FAR or place > _FAR or len(infos) > _MANY:
        return place == directory  # then its end has another, longer form
    listed = b"".join(map(_entry, infos))
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, len(infos), len(infos), len(listed), directory, 0)
    return place == directory and rest == listed + end


def _entry(info: zipfile.ZipInfo) -> bytes:
    """The entry of a file in the directory at the end of an archive (APPNOTE.TXT of PKWARE, 4.3.12)."""
    name, made = info.filename.encode(), (info.create_version, info.create_system, info.extract_version, info.reserved)
    year, month, day = pack.DATE[:3]
    when = (0, (year - 1980) << 9 | month << 5 | day)
    sizes = (info.CRC, info.compress_size, info.file_size, len(name), len(info.extra), 0)
    where = (info.volume, info.internal_attr, info.external_attr, info.header_offset)
    form = "<4s4B4H3L5H2L"
    return struct.pack(form, b"PK\1\2", *made, info.flag_bits, 0, *when, *sizes, *where) + name + info.extra


def _check(info: zipfile.ZipInfo) -> None:
    if not pack.is_below(info.filename) or info.filename != info.orig_filename:
        raise IntegrityError(f"the pack holds {_shown(info)}, a path that leads out of it or is none")
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode) or (mode and not stat.S_ISREG(mode)):
        raise IntegrityError(f"the pack holds {_shown(info)}, which is no plain file")
    if info.flag_bits & _ENCRYPTED or info.compress_type != zipfile.ZIP_STORED:
        raise IntegrityError(f"the pack holds {_shown(info)}, which is encrypted or compressed")


def _is_ours(info: zipfile.ZipInfo) -> bool:
    """Whether an entry of the directory is as `psf-audit pack` writes it."""
    plain = (info.create_system, info.reserved, info.volume, info.internal_attr, info.comment)
    versions = {info.create_version, info.extract_version}
    flags = 0 if info.filename.isascii() else _UTF8
    return (
        (info.date_time, info.external_attr, info.flag_bits) == (pack.DATE, pack.MODE, flags)
        and plain == (pack.UNIX, 0, 0, 0, b"")
        and versions <= {zipfile.DEFAULT_VERSION, zipfile.ZIP64_VERSION}
        and len(versions) == 1
        and info.compress_size == info.file_size
    )


def _shown(info: zipfile.ZipInfo) -> str:
    return repr(safe(one_line(info.filename), limit=120))


def _bytes(archive: zipfile.ZipFile, infos: Mapping[str, zipfile.ZipInfo], name: str) -> bytes:
    if name not in infos:
        raise IntegrityError(f"the pack has no {name}", hint="give the file that `psf-audit pack` wrote")
    if infos[name].file_size > MAX_BYTES:
        raise IntegrityError(f"{_shown(infos[name])} in the pack is larger than {MAX_BYTES // 2**20} MiB")
    with archive.open(infos[name]) as stream:
        return stream.read(MAX_BYTES + 1)


def _digest(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    found = hashlib.sha256()
    with archive.open(info) as stream:
        while block := stream.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def _index(data: bytes) -> dict[str, Any]:
    from jsonschema import Draft202012Validator

    try:
        value = parse_json(decode(data))
    except Unreadable as error:
        raise IntegrityError(f"the index of the pack {error}") from error
    wrong = next(iter(Draft202012Validator(schemas.load("pack")).iter_errors(value)), None)
    if wrong is not None:
        text = safe(one_line(wrong.message), limit=200)
        raise IntegrityError(f"the index of the pack does not have the form of {pack.SCHEMA}: {text}")
    found: dict[str, Any] = value
    return found


def _faults(index: Mapping[str, Any], digests: Mapping[str, str]) -> Iterator[str]:
    """Files that are not those of the index."""
    listed = {entry["path"]: entry["sha256"] for entry in index["files"]}
    for path, digest in sorted(listed.items()):
        named = safe(one_line(path), limit=200)
        if path not in digests:
            yield f"{named} is in the index of the pack, and missing"
        elif digests[path] != digest:
            yield f"{named} was changed: its digest is not the one in the index of the pack"
    for path in sorted(digests.keys() - listed.keys() - {pack.INDEX, pack.ATTESTATION}):
        yield f"{safe(one_line(path), limit=200)} is in the pack, and not in its index"
