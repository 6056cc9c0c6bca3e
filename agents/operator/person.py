"""Who sits in front of the command line: the trail of changes names them."""

import os
import pwd
import socket

UNNAMED = ("", "root")
"""Logins that several people may share."""


def login() -> str:
    """The login of the person, also behind sudo and doas; "" where the system knows none."""
    for variable in ("SUDO_USER", "DOAS_USER"):
        if os.environ.get(variable):
            return os.environ[variable]
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return ""


def host() -> str:
    return socket.gethostname()
