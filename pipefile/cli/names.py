"""The names of the commands."""

COMMANDS = (
    "build", "watch", "status", "why", "list", "query", "graph", "clean", "accept", "check", "runs", "cache", "init", "editor", "schema",
    "completion",
)  # fmt: skip
