"""What validation holds the rows against, and what it finds out about them."""
