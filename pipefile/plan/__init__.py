"""Decisions, pure: no file, process, thread, clock or terminal is touched in here."""
