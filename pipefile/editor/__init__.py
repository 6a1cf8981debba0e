"""What editors need to know of a project: their tasks, the schema of its Pipefile, completion."""
