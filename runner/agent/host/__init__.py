"""This host as the kernel tells it: mounts, fstab, processes, sessions."""
