"""What the five stage scripts are made of."""
