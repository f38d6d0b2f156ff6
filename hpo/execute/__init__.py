"""Where a trial runs: the port, and a process of this machine."""
