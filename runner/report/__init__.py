"""Plan and report as text for people. It knows no job."""
