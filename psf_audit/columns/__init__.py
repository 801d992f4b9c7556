"""Logs in columns: an embedded database reads large logs by itself, and holds them for the criteria.

A log has millions of lines; reading them one by one takes a hundred times as long as what is asked of them. Formats say
in SQL how a plain line of theirs is read (`artifact.Columnar`); every other line is read as always, by the format.
"""
