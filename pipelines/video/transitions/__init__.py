"""Transitions between two clips."""
