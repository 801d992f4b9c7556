"""The one error family.

AuditError
├── ConfigurationError   exit 2: a flag, manifest, rubric or waiver is wrong
├── CannotAssess         exit 3: nothing to audit, or what there is cannot be judged
│   └── Unreadable       one evidence file could not be read; the run goes on without it
└── IntegrityError       exit 4: a digest or signature does not match
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What a pipeline reads; the same whatever the output format."""

    READY = 0
    GATE_NOT_MET = 1
    USAGE = 2
    CANNOT_ASSESS = 3
    INTEGRITY = 4
    BUG = 70
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """One line of the exit code table."""
        return {
            ExitCode.READY: "the gate is met",
            ExitCode.GATE_NOT_MET: "the gate is not met",
            ExitCode.USAGE: "usage or configuration: bad flag, manifest, rubric, waiver, a threshold that cannot apply",
            ExitCode.CANNOT_ASSESS: (
                "could not assess: nothing to audit, evidence unreadable, coverage below the floor"
            ),
            ExitCode.INTEGRITY: "integrity: digest or signature does not match",
            ExitCode.BUG: "a bug in psf-audit",
            ExitCode.INTERRUPTED: "interrupted",
        }[self]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in one input, and what to do about it."""

    path: str
    message: str
    line: int | None = None
    column: int | None = None
    hint: str | None = None

    def __str__(self) -> str:
        """`file:line:column: what is wrong, what to do`."""
        place = self.path
        if self.line is not None:
            place += f":{self.line}"
            if self.column is not None:
                place += f":{self.column}"
        return f"{place}: {self.message}" + (f", {self.hint}" if self.hint else "")


class AuditError(Exception):
    """Anything a user can mend; everything else is a bug."""

    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(self, message: str, *, hint: str | None = None, problems: tuple[Problem, ...] = ()) -> None:
        """Keep the message, what to do next, and every single problem found."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.problems = problems


class ConfigurationError(AuditError):
    """What the user wrote cannot be used as it stands."""

    exit_code = ExitCode.USAGE


class CannotAssess(AuditError):
    """There is nothing that an honest verdict could rest on."""

    exit_code = ExitCode.CANNOT_ASSESS


class Unreadable(CannotAssess):
    """One evidence file cannot be read; it becomes a gap."""

    def __init__(
        self, message: str, *, line: int | None = None, column: int | None = None, hint: str | None = None
    ) -> None:
        """Say what is wrong and where in the file."""
        super().__init__(message, hint=hint)
        self.line = line
        self.column = column

    def __str__(self) -> str:
        """Say what is wrong, with the line where it is known."""
        place = f" (line {self.line})" if self.line is not None else ""
        return self.message + place + (f"; {self.hint}" if self.hint else "")


class IntegrityError(AuditError):
    """An artifact is not what its digest or signature says."""

    exit_code = ExitCode.INTEGRITY
