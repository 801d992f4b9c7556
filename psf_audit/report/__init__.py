"""Report formats, one file each: a module here ends in one `ReportFormat` and nothing else registers it."""
