"""Things people hold, use and sit on."""
