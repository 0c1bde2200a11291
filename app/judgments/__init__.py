"""What people decided, and the tuples that follow from it."""
