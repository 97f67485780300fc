"""What is installed here, what is older than its files, what changed since a plan was made."""
