"""A program that reads what strangers send: in a view of the host of its own, without the rights of root."""
