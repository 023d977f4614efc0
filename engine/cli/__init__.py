"""The command line: commands, progress output and tables."""
