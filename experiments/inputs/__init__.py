"""Which of a user's files are images that can be augmented, and what they contain."""
