"""Many runs: of many targets, or of the panels of a figure."""
