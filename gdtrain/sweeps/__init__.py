"""Sweeps over settings, over learning rates, over starts; and what of them is kept."""
