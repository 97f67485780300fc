"""What a host is beside its files: disks, partitions, packages, boot loader, network."""
