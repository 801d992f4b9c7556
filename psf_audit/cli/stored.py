"""Reading an assessment that was written before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psf_audit.errors import ConfigurationError, Problem, Unreadable

if TYPE_CHECKING:
    from pathlib import Path

    from psf_audit.model import Assessment


def load(path: Path) -> Assessment:
    """The assessment in a JSON file.

    Raises:
        ConfigurationError: it is not there, or is no assessment.
    """
    from psf_audit import wire
    from psf_audit.reading import decode, parse_json, read_bytes

    try:
        value = parse_json(decode(read_bytes(path)))
    except Unreadable as error:
        problem = Problem(str(path), error.message, error.line, error.column, error.hint)
        raise ConfigurationError(str(problem), problems=(problem,)) from error
    return wire.from_json(value, str(path))
