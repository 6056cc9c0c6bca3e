"""What all of Dovecot's processes write alike."""

LEVELS = frozenset({"Debug", "Info", "Warning", "Error", "Fatal", "Panic"})
LEVEL = rf"(?:(?:{'|'.join(sorted(LEVELS))}): )?"


def account(user: str) -> str:
    return user.strip("<>").lower()[:320]
