"""The endpoints of both hosted APIs."""
