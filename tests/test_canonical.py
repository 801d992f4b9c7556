from __future__ import annotations

import math
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from psf_audit import canonical

NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
@example({"b": 1, "a": '\x7f\x1f\u2028\u00e9\U0001f600\\"/', "\u20ac": 2, "\U0001f600": 3, "\ufb33": 4})
@example([1.0, 1e-5, 1e-4, 0.1, 1e15, 1.5e15, 1e16, 1e21, -0.0, 0.0, 4.5, 1 / 3])
def test_is_what_the_reference_writes(value: Any) -> None:
    assert canonical.dumps(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [math.nan, math.inf, 2**53, {1: 2}, ["\ud800"]])
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        canonical.dumps(value)
