"""What is known of an account that sends: its habits, its places, and signs of a thief."""
