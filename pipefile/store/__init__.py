"""What is remembered between builds: records, index, runs, lock."""
