"""What is concluded from events, and the programs that run it."""
