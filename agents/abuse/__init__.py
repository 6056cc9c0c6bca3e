"""Drafts of reports to the network that an attack came from. Nothing here sends a mail."""
