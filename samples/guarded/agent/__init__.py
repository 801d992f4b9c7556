"""A toy deployment that indexes a hobbyist network behind guardrails that really stop it."""
