"""How fast gdtrain is beside what its user would do without it: `python -m benchmarks`. See README.md."""
