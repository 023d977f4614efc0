"""Families that generate clips and transitions."""
