"""Families that make music."""
