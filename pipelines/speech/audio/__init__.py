"""Audio samples of speech."""
