"""`psf-audit completion`, and what can be completed.

A shell asks the program itself what fits, so nothing here is a list kept by hand; `psf_audit.cli.suggest` looks it up.
The scripts and the answers are typer's. It has no public name for them, only options that it adds to the program, and
those write into the settings of whatever shell they guess; so its own functions are called here.
"""

from __future__ import annotations

import os
from typing import Annotated

import typer

from psf_audit.cli.output import show
from psf_audit.errors import ConfigurationError

SHELLS = ("bash", "zsh", "fish")
PROGRAM = "psf-audit"
VARIABLE = "_PSF_AUDIT_COMPLETE"
# After `html=` comes a path, and no space.
_BASH_ENDS = "    return 0\n"
_BASH_ENDS_OPEN = '    [[ "${COMPREPLY[*]}" != *= ]] || compopt -o nospace\n' + _BASH_ENDS


def completion(
    shell: Annotated[
        str,
        typer.Argument(metavar="SHELL", help="The shell: bash, zsh or fish.", autocompletion=lambda: list(SHELLS)),
    ],
) -> None:
    """Print the completion script of a shell.

    For bash, in ~/.bashrc: eval "$(psf-audit completion bash)"; see docs/completion.md for zsh and fish.
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    if shell not in SHELLS:
        raise ConfigurationError(f"there is no completion for {shell!r}", hint=f"use one of {', '.join(SHELLS)}")
    script = get_completion_script(prog_name=PROGRAM, complete_var=VARIABLE, shell=shell)
    show(script.replace(_BASH_ENDS, _BASH_ENDS_OPEN) if shell == "bash" else script)


def listen() -> None:
    """Let typer answer where it is a shell that asks."""
    if VARIABLE in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()
