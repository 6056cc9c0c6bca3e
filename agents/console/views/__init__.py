"""What the console shows, one file for each page: from what is known, to a value. The pages and the
API both are made of these values."""
