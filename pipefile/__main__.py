"""`python -m pipefile`, and the console script."""

from __future__ import annotations


def main() -> int:
    """Run the program; returns its exit status."""
    from pipefile.cli.main import main as run

    return run()


if __name__ == "__main__":
    raise SystemExit(main())
