"""A company's day of mail traffic, with attacks in it whose truth is known."""
