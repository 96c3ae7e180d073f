"""Diffs: pasted ones, and those of commits in repositories that the installation allows."""
