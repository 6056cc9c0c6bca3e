"""Where a server is, as settings write it: host, host:port, [IPv6] or [IPv6]:port."""

from schemas.settings import SettingsError

Place = tuple[str, int]


def parsed(text: str, usual: int) -> Place:
    """Host and port of the setting `server`; raises SettingsError."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(usual)
    host = host.removeprefix("[").removesuffix("]")
    right = port.isascii() and port.isdigit() and 0 < int(port) < 65536
    if not host or not right or any(c.isspace() or c == "/" for c in host):
        raise SettingsError("server: expected HOST or HOST:PORT")
    return host, int(port)


def shown(place: Place) -> str:
    host, port = place
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
