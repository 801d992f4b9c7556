"""Cells of CSV (RFC 4180) that no spreadsheet computes.

A spreadsheet takes text that starts with `=`, `+`, `-`, `@` or a control character for a formula (OWASP, "CSV
Injection"): such a cell starts with an apostrophe. Where the semicolon separates cells, as in many countries, one in a
text would begin another cell, so text with one is quoted too.
"""

from __future__ import annotations

import re

# The wide forms are read as the plain ones in some locales.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_QUOTED = re.compile(r'[",;\r\n]')


def cell(text: str) -> str:
    """Clean text as one cell."""
    said = f"'{text}" if text.lstrip(" \u00a0").startswith(_FORMULA) else text
    return f'"{said.replace(chr(34), chr(34) * 2)}"' if _QUOTED.search(said) else said
