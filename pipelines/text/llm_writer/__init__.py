"""The writer that prompts a language model."""
