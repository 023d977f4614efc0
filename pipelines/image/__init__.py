"""Families that generate, enhance and check images."""
