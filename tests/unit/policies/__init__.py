"""Rules and their evaluation."""
