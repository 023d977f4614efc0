"""The content-addressed store and the run history."""
