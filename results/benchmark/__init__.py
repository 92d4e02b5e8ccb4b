"""Time and memory against length."""
