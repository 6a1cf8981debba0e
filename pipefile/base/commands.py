"""The names of the commands: a first word that is none of them is a target of `build`."""

COMMANDS = (
    "build", "watch", "status", "why", "list", "query", "graph", "clean", "accept", "check", "audit",
    "runs", "cache", "init", "editor", "schema", "completion",
)  # fmt: skip
