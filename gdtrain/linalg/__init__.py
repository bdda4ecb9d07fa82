"""Linear algebra of rows that need be read once: triangles that stand for them, and what these tell."""
