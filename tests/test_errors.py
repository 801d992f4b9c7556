import pytest

from psf_audit.errors import (
    AuditError,
    CannotAssess,
    ConfigurationError,
    ExitCode,
    IntegrityError,
    Problem,
    Unreadable,
)


def test_the_exit_codes_are_those_of_the_contract() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "READY": 0,
        "GATE_NOT_MET": 1,
        "USAGE": 2,
        "CANNOT_ASSESS": 3,
        "INTEGRITY": 4,
        "BUG": 70,
        "INTERRUPTED": 130,
    }
    assert len({code.meaning for code in ExitCode}) == len(ExitCode)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("x"), ExitCode.USAGE),
        (CannotAssess("x"), ExitCode.CANNOT_ASSESS),
        (Unreadable("x"), ExitCode.CANNOT_ASSESS),
        (IntegrityError("x"), ExitCode.INTEGRITY),
    ],
)
def test_each_error_knows_its_exit_code(error: AuditError, code: ExitCode) -> None:
    assert error.exit_code is code
    assert isinstance(error, AuditError)


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("m.yaml", "is wrong"), "m.yaml: is wrong"),
        (Problem("m.yaml", "is wrong", 3), "m.yaml:3: is wrong"),
        (Problem("m.yaml", "is wrong", 3, 5, "mend it"), "m.yaml:3:5: is wrong, mend it"),
        (Problem("m.yaml", "is wrong", None, 5), "m.yaml: is wrong"),
    ],
)
def test_a_problem_says_where_what_and_what_to_do(problem: Problem, text: str) -> None:
    assert str(problem) == text


def test_an_error_keeps_hint_and_problems() -> None:
    problem = Problem("m.yaml", "is wrong")
    error = ConfigurationError("cannot be used", hint="mend it", problems=(problem,))

    assert (str(error), error.message, error.hint) == ("cannot be used", "cannot be used", "mend it")
    assert error.problems == (problem,)


def test_what_is_unreadable_says_the_line_and_the_hint() -> None:
    assert str(Unreadable("is not JSON")) == "is not JSON"
    assert str(Unreadable("is not JSON", line=7)) == "is not JSON (line 7)"
    assert str(Unreadable("is not JSON", line=7, hint="export it again")) == "is not JSON (line 7); export it again"
