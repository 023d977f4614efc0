"""When each word is spoken."""
