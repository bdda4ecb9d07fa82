"""Experiments: YAML, mappings and flags to one validated experiment, and back to YAML. No torch here.

`load.load` reads one, `names.settle` tells parameters from columns, `dump.dump` prints one.
"""
