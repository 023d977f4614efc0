"""Segments, schedule and the finished film."""
