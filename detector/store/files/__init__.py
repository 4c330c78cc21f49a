"""The rows of log files, many packed into one."""
