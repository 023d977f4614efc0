"""Running a plan: the runner, the executors, the workers."""
