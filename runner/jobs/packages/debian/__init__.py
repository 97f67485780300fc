"""The family of apt, aptitude and dpkg."""
