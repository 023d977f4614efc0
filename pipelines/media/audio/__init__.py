"""Reading of audio, loudness, the mix, and AAC."""
