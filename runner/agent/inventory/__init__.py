"""What a host is besides its files: disks, partitions, packages, boot loader, network."""
