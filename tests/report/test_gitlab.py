import json

from psf_audit.notices import GATE
from psf_audit.rendering import View
from psf_audit.report.gitlab import GITLAB
from tests import samples


def test_gitlab_has_all_that_it_asks_for() -> None:
    found = json.loads(GITLAB.assessment(samples.small(), View(folder="ops")))
    for one in found:
        assert one.keys() == {"description", "check_name", "fingerprint", "severity", "location"}
        assert one["severity"] in {"info", "minor", "major", "critical", "blocker"}
        assert one["location"]["path"].startswith("ops/")
        assert one["location"]["lines"]["begin"] >= 1
    assert json.loads(GITLAB.assessment(samples.assessment([]), View()))[0]["check_name"] == GATE
