"""This host as the kernel shows it: mounts, fstab, processes, sessions."""
