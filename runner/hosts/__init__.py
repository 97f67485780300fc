"""How a host is reached: ssh, a process of our own, a session. The only sockets and subprocesses."""
