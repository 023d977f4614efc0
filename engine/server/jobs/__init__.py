"""Queued work, its records, and what happens around it."""
