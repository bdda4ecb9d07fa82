"""The rows of an experiment: what is read, how its texts and classes are numbers, how often each row counts."""
