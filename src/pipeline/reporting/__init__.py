"""The report of an evaluation: its numbers, its charts, its page, and its summary in the terminal."""
