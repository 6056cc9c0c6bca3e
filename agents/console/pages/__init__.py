"""The console's pages: made on the server from what the API says, usable without scripts."""
