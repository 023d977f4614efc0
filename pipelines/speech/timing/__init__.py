"""Word times."""
