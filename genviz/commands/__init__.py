"""The command line, `genviz train`, `genviz review`, ...: one file per sub-command."""
