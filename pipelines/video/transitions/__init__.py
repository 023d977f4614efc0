"""Transitions between two clips without a model."""
