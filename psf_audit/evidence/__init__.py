"""Evidence formats, one file each: a module here ends in one `EvidenceFormat` and nothing else registers it."""
