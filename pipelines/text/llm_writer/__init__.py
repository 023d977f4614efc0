"""Storyboard writer that prompts a language model."""
