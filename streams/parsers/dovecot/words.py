"""What all of Dovecot's processes write alike."""

LEVELS = frozenset({"Debug", "Info", "Warning", "Error", "Fatal", "Panic"})
LEVEL = rf"(?:(?:{'|'.join(sorted(LEVELS))}): )?"


def account(user: str) -> str:
    """A login; Dovecot writes ``?`` as long as it knows none."""
    return "" if user == "?" else user.strip("<>").lower()[:320]
