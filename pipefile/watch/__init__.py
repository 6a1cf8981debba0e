"""Watching: changes of files become builds."""
