"""Trials that are descended together, and what each of them came to."""
