"""The draft illustrator: pictures drawn from words."""
