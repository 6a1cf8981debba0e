"""Runs one action: a command, or a Python function."""
