"""Git and DVC in the current folder: their commands, their errors in one line, throw-away worktrees."""
