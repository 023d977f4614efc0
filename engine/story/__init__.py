"""The one internal form of every request."""
