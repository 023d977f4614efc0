"""The writer that needs no language model."""
