"""Decides: stories, plans, the store, the queue. Imports no torch."""
