"""One fit for each group of rows: least squares of all groups at once, the rest side by side or one after another."""

from gdtrain.bygroup.fits import fit_groups

__all__ = ["fit_groups"]
