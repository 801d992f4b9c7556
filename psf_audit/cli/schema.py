"""`psf-audit schema`."""

from __future__ import annotations

from typing import Annotated

import typer

from psf_audit.cli import suggest
from psf_audit.cli.output import show
from psf_audit.errors import ConfigurationError


def schema(
    name: Annotated[
        str | None, typer.Argument(help="Which one; without it the names are listed.", autocompletion=suggest.schemas)
    ] = None,
) -> None:
    """Print a published JSON Schema.

    There is one for each kind of file that psf-audit reads or writes.
    """
    import json

    from psf_audit import schemas

    if name is None:
        show("\n".join(schemas.names()))
        return
    if name not in schemas.names():
        raise ConfigurationError(f"there is no schema {name!r}", hint=f"known: {', '.join(schemas.names())}")
    show(json.dumps(schemas.load(name), indent=2, ensure_ascii=False, default=str))
