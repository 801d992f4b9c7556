"""Large traces in OTLP/JSON lines: read by a database, which says of them what `psf_audit/spans.py` says."""
