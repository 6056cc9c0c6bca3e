"""What all of Dovecot's processes write alike."""

LEVEL = r"(?:(?:Info|Warning|Error|Debug|Fatal|Panic): )?"


def account(user: str) -> str:
    return user.strip("<>").lower()[:320]
