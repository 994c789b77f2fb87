"""The command line: one file here for each sub-command with options, one in ``configs/`` for each with settings."""
