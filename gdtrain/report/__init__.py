"""Results as text. Reads results only."""
