"""Engines, one file each: a module here ends in one `Engine` and nothing else registers it."""
