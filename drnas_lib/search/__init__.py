"""The bilevel search: its step, its loop, and one run from settings to a record."""
