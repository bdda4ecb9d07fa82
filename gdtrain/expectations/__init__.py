"""Expectations: what a result must come to, and whether it did."""
