import re

import pytest

from psf_audit.compare import compare
from psf_audit.rendering import View
from psf_audit.report.github_summary import COMMENT_BYTES, GITHUB_SUMMARY, SUMMARY_BYTES
from tests import samples


@pytest.mark.parametrize("count", [1, 1500])
def test_a_summary_and_a_comment_stay_within_what_github_takes(count: int) -> None:
    made = samples.many(count, "x & <b> " * 200)
    text = GITHUB_SUMMARY.assessment(made, View())
    assert len(text.encode()) <= SUMMARY_BYTES < 2**20
    listed = text.count("| **SPEND-")
    more = re.search(r"^and (\d+) more$", text, re.MULTILINE)
    assert listed + (int(more[1]) if more else 0) == count
    assert listed > 0
    assert GITHUB_SUMMARY.comparison is not None
    comment = GITHUB_SUMMARY.comparison(compare(samples.assessment([]), made), View())
    assert len(comment.encode()) <= COMMENT_BYTES < 65_536
