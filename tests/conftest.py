"""The same examples on every machine and in every run; no test fails because a machine is slow."""

from hypothesis import settings

settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")
