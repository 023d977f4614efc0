"""The output folder of a run: exported files, `story.json`, the storyboard page."""
