"""The names of the commands."""

COMMANDS = ("build", "status", "why", "list", "query", "graph", "clean", "accept", "check", "runs", "cache", "init", "schema", "completion")
