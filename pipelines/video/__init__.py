"""Families that make moving pictures: clips and bridges."""
