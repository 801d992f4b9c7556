"""What the tests of engines share."""

from __future__ import annotations

import pytest

from psf_audit import spark_session
from tests.sparks import MASTER


@pytest.fixture(scope="session")
def spark(pytestconfig: pytest.Config) -> None:
    """A Spark for small logs, with four threads; without --spark there is none."""
    if pytestconfig.getoption("--spark"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(spark_session.MASTER, MASTER)
            spark_session.session(small=True, memory_mib=2048)
