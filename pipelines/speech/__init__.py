"""Families that synthesize speech."""
