"""What a benchmark runs as a process of its own. Each prints one line of JSON."""
