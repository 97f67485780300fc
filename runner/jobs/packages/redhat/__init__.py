"""The family of rpm, dnf and yum."""
