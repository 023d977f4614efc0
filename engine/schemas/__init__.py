"""Request and response bodies of both hosted APIs, and story files."""
