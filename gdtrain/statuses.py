"""How a trial may end, and the exit codes of it."""

STATUSES = ("converged", "max_epochs", "stopped", "no_root", "diverged", "interrupted")
EXIT_CODES = {"diverged": 4, "no_root": 1, "interrupted": 130}  # every other verdict is 0
