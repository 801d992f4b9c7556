"""The pytest plugin, in a real pytest: what marks write, and what an assessment makes of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from psf_audit import collection, pytest_plugin
from psf_audit.facts.model import Fact, Gap
from psf_audit.model import Status
from tests.deployments import DAY, RELEASE, Deployment, guarded

MARKED = """\
import pytest

pytestmark = pytest.mark.psf(environment="staging", release="2.4.0")


@pytest.fixture
def broken():
    raise RuntimeError("no range")


@pytest.fixture
def untidy():
    yield
    raise RuntimeError("the range stays open")


@pytest.mark.psf("SPEND-02", "CHECK-05", adversarial=True)
def test_two_controls():
    pass


@pytest.mark.psf("BOUND-01", adversarial=True)
class TestTools:
    def test_of_the_class(self):
        pass

    @pytest.mark.psf("BOUND-02", adversarial=False, how="review", run="run-7", release="2.5.0")
    def test_of_its_own(self):
        pass


@pytest.mark.psf("SPEND-01")
@pytest.mark.parametrize("path", ["gateway", pytest.param("direct", marks=pytest.mark.psf(adversarial=True))])
def test_each_path(path):
    assert path == "gateway"


@pytest.mark.psf("SPEND-03")
@pytest.mark.skip(reason="no account")
def test_skipped():
    pass


@pytest.mark.psf("SPEND-04")
@pytest.mark.xfail(reason="known")
def test_expected_to_fail():
    raise AssertionError


@pytest.mark.psf("SPEND-05")
def test_fixture_fails(broken):
    pass


@pytest.mark.psf("SPEND-06")
def test_fixture_fails_afterwards(untidy):
    pass


@pytest.mark.psf("AUDIT-01")
@pytest.mark.psf("AUDIT-02")
def test_two_marks():
    pass


def test_nothing_of_the_kind():
    pass
"""
WRITTEN: dict[str, tuple[Any, ...]] = {
    "test_two_controls SPEND-02": ("passed", True, "attack", "staging", "2.4.0"),
    "test_two_controls CHECK-05": ("passed", True, "attack", "staging", "2.4.0"),
    "test_of_the_class BOUND-01": ("passed", True, "attack", "staging", "2.4.0"),
    "test_of_its_own BOUND-02": ("passed", False, "review", "staging", "2.5.0"),
    "test_each_path[gateway] SPEND-01": ("passed", None, "functional", "staging", "2.4.0"),
    "test_each_path[direct] SPEND-01": ("failed", True, "attack", "staging", "2.4.0"),
    "test_skipped SPEND-03": ("skipped", None, "functional", "staging", "2.4.0"),
    "test_expected_to_fail SPEND-04": ("skipped", None, "functional", "staging", "2.4.0"),
    "test_fixture_fails SPEND-05": ("error", None, "functional", "staging", "2.4.0"),
    "test_fixture_fails_afterwards SPEND-06": ("error", None, "functional", "staging", "2.4.0"),
    "test_two_marks AUDIT-01": ("passed", None, "functional", "staging", "2.4.0"),
    "test_two_marks AUDIT-02": ("passed", None, "functional", "staging", "2.4.0"),
    "test_nothing_of_the_kind None": ("passed", None, "functional", "staging", "2.4.0"),
}


def drill(
    folder: Path, source: str, *arguments: str, ini: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """A run of pytest, started as people start it, over one file of tests; it writes junit.xml there."""
    folder.mkdir(exist_ok=True)
    (folder / "test_drills.py").write_text(source, encoding="utf-8")
    (folder / "pytest.ini").write_text(f"[pytest]\n{ini}", encoding="utf-8")
    command = [sys.executable, "-W", "error", "-m", "pytest", "-p", "no:cacheprovider", "--strict-markers"]
    return subprocess.run(
        [*command, "--junitxml=junit.xml", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def facts(folder: Path) -> dict[str, Fact]:
    """What the reader of JUnit XML finds in junit.xml, by test and control; it must not find a gap."""
    file, _ = collection.read_alone(folder / "junit.xml")
    assert [item for item in file.items if isinstance(item, Gap)] == []
    found = [item for item in file.items if isinstance(item, Fact)]
    named = {f"{str(fact.values['name']).rpartition('.')[2]} {fact.values['control']}": fact for fact in found}
    assert len(named) == len(found)
    return named


# ------------------------------------------------------------------------------------------------------ what is written


@pytest.mark.parametrize(
    ("arguments", "ini"),
    [((), ""), (("-n", "2"), ""), ((), "junit_family = xunit1\n")],
    ids=["plain", "xdist", "xunit1"],
)
def test_what_marks_say_is_what_the_reader_reads(tmp_path: Path, arguments: tuple[str, ...], ini: str) -> None:
    done = drill(tmp_path, MARKED, *arguments, ini=ini)

    assert done.returncode == 1, done.stdout
    found = facts(tmp_path)
    keys = ("outcome", "adversarial", "how", "environment")
    assert {name: (*(fact.values[key] for key in keys), fact.release) for name, fact in found.items()} == WRITTEN
    assert found["test_of_its_own BOUND-02"].values["run"] == "run-7"


ONE = 'import pytest\n\n@pytest.mark.psf("SPEND-01"{})\ndef test_it():\n    pass\n'


@pytest.mark.parametrize(
    ("mark", "arguments", "variable", "release"),
    [
        ("", (), None, "3.0.0"),
        ("", (), "2.0.0", "2.0.0"),
        ("", ("--psf-release=1.0.0",), "2.0.0", "1.0.0"),
        (', release="0.9.0"', ("--psf-release=1.0.0",), "2.0.0", "0.9.0"),
    ],
)
def test_the_nearest_word_about_the_release_counts(
    tmp_path: Path, mark: str, arguments: tuple[str, ...], variable: str | None, release: str
) -> None:
    environment = {} if variable is None else {"PSF_AUDIT_RELEASE": variable}
    drill(tmp_path, ONE.format(mark), *arguments, ini="psf_release = 3.0.0\n", **environment)

    assert facts(tmp_path)["test_it SPEND-01"].release == release


def test_the_environment_may_hold_for_the_whole_run(tmp_path: Path) -> None:
    drill(tmp_path, ONE.format(""), "--psf-environment", "staging", "-n", "1")

    assert facts(tmp_path)["test_it SPEND-01"].values["environment"] == "staging"


# ---------------------------------------------------------------------------------------------------- what is refused


MEANINGLESS = {
    '"SPEND-2"': "psf-agentic 1.3.0 has no control 'SPEND-2'; did you mean `SPEND-02`?",
    '"spend-01"': "has no control 'spend-01'",
    "1": "1 is no control",
    '"SPEND-01", advesarial=True': "there is no argument 'advesarial'; did you mean `adversarial`?",
    '"SPEND-01", adversarial="no"': "adversarial='no' is neither True nor False",
    '"SPEND-01", how="luck"': "how='luck' is not one of attack",
    '"SPEND-01", release=2.4': "release=2.4 is no text of one line",
    '"SPEND-01", release="2\\n4"': "release='2\\n4' is no text of one line",
    '"SPEND-01", run=" "': "run=' ' is no text of one line",
    '"SPEND-01", adversarial=True)\n@pytest.mark.psf("SPEND-02"': "name controls and differ in more than those",
    'release="1")\n@pytest.mark.psf(release="2"': "two in one place differ in release",
}


@pytest.mark.parametrize("arguments", [(), ("-n", "2")], ids=["plain", "xdist"])
def test_a_mark_that_cannot_mean_anything_is_an_error(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    marked = "\n".join(f"@pytest.mark.psf({mark})\ndef test_{n}():\n    pass\n" for n, mark in enumerate(MEANINGLESS))

    done = drill(tmp_path, f"import pytest\n\n{marked}", *arguments)

    assert done.returncode == (1 if arguments else 2)
    for said in MEANINGLESS.values():
        assert re.search(rf"test_drills\.py:\d+: mark psf: .*{re.escape(said)}", done.stdout), said
    assert "psf.control" not in (tmp_path / "junit.xml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("--psf-rubric", "psf-agentc"),
            "psf_rubric: there is no rubric 'psf-agentc'; known: payments, psf-agentic, read-only",
        ),
        (("--psf-rubric", "gone.yaml"), "psf_rubric: gone.yaml"),
        (("--psf-release", "a\tb"), "psf_release: 'a\\tb' is no text of one line"),
    ],
)
def test_what_holds_for_the_run_is_checked_too(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = drill(tmp_path, ONE.format(""), *arguments)

    assert done.returncode == 2
    assert said in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_the_controls_are_those_of_the_rubric_that_the_run_names(tmp_path: Path) -> None:
    source = ONE.format("").replace("SPEND-01", "CHECK-01")
    guarded(tmp_path).save()
    assert drill(tmp_path, source, "--psf-rubric", "psf-agentic@1.0").returncode == 0
    assert drill(tmp_path, ONE.format(""), ini="psf_rubric = rubric.yaml\n").returncode == 0
    done = drill(tmp_path, source, ini="psf_rubric = rubric.yaml\n")
    assert "small 1.0.0 has no control 'CHECK-01'" in done.stdout


# ------------------------------------------------------------------------------------------------- what it costs others

LIGHT = """\
import sys

def test_it():
    heavy = {"yaml", "duckdb", "jsonschema", "typer", "psf_audit.rubric"}
    assert "psf_audit.pytest_plugin" in sys.modules
    assert not heavy & sys.modules.keys()
"""


def test_a_run_without_marks_reads_no_rubric(tmp_path: Path) -> None:
    done = drill(tmp_path, LIGHT)

    assert done.returncode == 0, done.stdout


def test_loading_it_loads_nothing_else() -> None:
    program = "import sys, pytest; b = set(sys.modules); import psf_audit.pytest_plugin; print(*set(sys.modules) - b)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert set(done.stdout.split()) == {"psf_audit", "psf_audit.pytest_plugin"}


# --------------------------------------------------------------------------------------------- what an assessment makes

CEILING = """\
import pytest

@pytest.mark.psf("SPEND-01", adversarial=ADVERSARIAL)
def test_the_ceiling_holds():
    BODY

@pytest.mark.psf("SPEND-02", "SPEND-03")
def test_rate_and_alert():
    pass
"""


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return guarded(tmp_path)


def ceiling(deployment: Deployment, *arguments: str, body: str = "pass", adversarial: str = "True") -> Status:
    """The status of the ceiling once the deployment's own tests have run and their results are its evidence."""
    deployment.save()
    folder = deployment.folder / "drills"
    source = CEILING.replace("BODY", body).replace("ADVERSARIAL", adversarial)
    drill(folder, source, "--psf-rubric", "../rubric.yaml", *arguments)
    results = (folder / "junit.xml").read_text(encoding="utf-8")
    deployment.put("evidence/drills.xml", re.sub(r'timestamp="[^"]*"', f'timestamp="{DAY}T08:00:00Z"', results))
    return deployment.statuses()["SPEND-01"]


def test_a_test_that_passed_against_this_release_is_evidence(deployment: Deployment) -> None:
    assert ceiling(deployment, "--psf-release", RELEASE) is Status.DEMONSTRATED
    assert deployment.run("-f", "json") == 0


@pytest.mark.parametrize(
    ("release", "body", "adversarial"),
    [
        ("2.3.9", "pass", "True"),
        (RELEASE, 'pytest.skip("no account")', "True"),
        (RELEASE, 'pytest.xfail("known")', "True"),
        (RELEASE, "pass", "False"),
    ],
    ids=["another release", "skipped", "expected to fail", "does not attack"],
)
def test_what_shows_nothing_leaves_the_control_untested(
    deployment: Deployment, release: str, body: str, adversarial: str
) -> None:
    assert ceiling(deployment, "--psf-release", release, body=body, adversarial=adversarial) is Status.UNTESTED


def test_without_a_release_only_the_manifest_can_say_which_it_was(deployment: Deployment) -> None:
    assert ceiling(deployment) is Status.UNTESTED
    deployment.put("evidence/drills.xml", (deployment.folder / "evidence/drills.xml").read_bytes(), release=RELEASE)
    assert deployment.statuses()["SPEND-01"] is Status.DEMONSTRATED


def test_a_test_that_failed_contradicts_the_control(deployment: Deployment) -> None:
    assert ceiling(deployment, "--psf-release", RELEASE, body="raise AssertionError") is Status.CONTRADICTED


# -------------------------------------------------------------------------------------------------------- documentation

GATEWAY = """\
from decimal import Decimal

import pytest


class Gateway:
    class Refused(Exception):
        pass

    spent = Decimal(0)

    def spend(self, usd):
        self.spent += Decimal(usd)

    def call(self, model, worst_case):
        if self.spent + Decimal(worst_case) > 50:
            raise self.Refused


@pytest.fixture
def gateway():
    return Gateway()
"""


def test_the_example_of_the_page_is_evidence(repo: Path, tmp_path: Path) -> None:
    page = (repo / "docs/pytest.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "conftest.py").write_text(GATEWAY, encoding="utf-8")

    done = drill(tmp_path, example, "--psf-release", RELEASE)

    assert done.returncode == 0, done.stdout
    assert [(fact.values["control"], fact.values["outcome"], fact.release) for fact in facts(tmp_path).values()] == [
        ("SPEND-01", "passed", RELEASE),
        ("SPEND-04", "passed", RELEASE),
    ]


def test_the_page_names_every_argument_and_option(repo: Path, tmp_path: Path) -> None:
    page = (repo / "docs/pytest.md").read_text(encoding="utf-8")
    told = drill(tmp_path, "", "--markers").stdout + drill(tmp_path, "", "--help").stdout

    assert [name for name in pytest_plugin.ARGUMENTS if f"| `{name}` |" not in page or f"{name}=None" not in told] == []
    assert [option for option in re.findall(r"--psf-\w+", told) if f"`{option}`" not in page] == []
