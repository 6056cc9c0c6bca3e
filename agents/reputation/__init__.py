"""What the DNS says of clients that are about to be judged."""
