"""Families that generate music."""
