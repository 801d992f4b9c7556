"""Readiness auditor for AI-agent deployments: what the evidence shows, not what the manifest claims."""

__version__ = "0.1.0"
