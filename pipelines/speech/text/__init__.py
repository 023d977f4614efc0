"""Text normalization for speech."""
