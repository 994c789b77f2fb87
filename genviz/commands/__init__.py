"""What a person types: `genviz train`, `genviz review`, ...; a file for each sub-command."""
