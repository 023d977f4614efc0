"""Families without a model: schedule, subtitles, mix, composition, and the frame sampler."""
