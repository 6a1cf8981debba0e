"""The commands, each with a line of help: a first word that is none of them is a target of `build`."""

COMMANDS = {
    "build": "Build what is stale.",
    "watch": "Build at each change.",
    "status": "Tell what is stale and why.",
    "why": "Tell every reason why a target is stale.",
    "list": "List the stages.",
    "query": "Print inputs, outputs, deps or rdeps of a target.",
    "graph": "Print the graph.",
    "clean": "Remove outputs and their records.",
    "accept": "Record outputs as fresh without running.",
    "check": "Find faults without running anything.",
    "audit": "Find what a stage reads and does not declare.",
    "runs": "Show what earlier builds did.",
    "cache": "Look after the results that are kept for later.",
    "init": "Write a Pipefile.toml to start from.",
    "editor": "Write the tasks of an editor.",
    "schema": "Print the JSON schema of Pipefile.toml.",
    "completion": "Print the completion for a shell.",
}
