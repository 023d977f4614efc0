"""Storyboard writer without a language model."""
