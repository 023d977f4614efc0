"""What a finished run leaves in the user's folder."""
