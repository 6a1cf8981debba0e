"""What the user types: a file a command."""
