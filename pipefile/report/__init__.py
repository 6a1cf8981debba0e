"""How a build is shown: terminal, JSON, graphs."""
