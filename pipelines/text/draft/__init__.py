"""The draft profile's storyteller: an idea, a page or pictures become a storyboard by rules and sentence banks."""
