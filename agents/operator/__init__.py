"""What people at the terminal see and order."""
