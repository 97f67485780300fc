"""Before a reboot and after it: who uses the host, which checks are due, what came back."""
