"""Pipefile.toml -> Pipeline."""
