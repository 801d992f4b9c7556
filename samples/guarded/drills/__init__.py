"""Drills: each attacks the running gateway and harness, and asserts on what they did."""
