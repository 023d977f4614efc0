"""Places, weather and light."""
