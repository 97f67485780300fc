"""JSON Schemas of jobs.toml: one for the file, one for each kind of job and each bundled hook."""
