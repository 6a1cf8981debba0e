"""What stands on the search path of Python programs that stages start (execute/audit.py puts it there). Nothing in here imports anything of ours."""
