"""PostgreSQL on this host: dumps taken and read again, databases restored beside the old one."""
