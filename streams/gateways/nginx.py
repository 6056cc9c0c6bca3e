"""nginx: the clients of a ``geo`` block, in a file that it includes (ngx_http_geo_module,
ngx_stream_geo_module).

A client's value is 1 where it is refused, else 0; the narrowest network that holds it counts.
nginx reads the file when it starts, so a change needs ``nginx -s reload``: that looks at the whole
configuration first, and fails without any harm where it is wrong.
"""

import re
import time
from collections.abc import Callable, Sequence

from schemas.findings import Decision
from streams import prefixes, targets
from streams.gateway import GatewayError, GatewaySettings, Note
from streams.reloading import Reload
from streams.writing import HEADER, Writing, asked

REFUSED = ("drop", "reject")


class NginxSettings(GatewaySettings, frozen=True):
    """Which file is written, and how nginx is told."""

    clients: str = "/etc/nginx/mailwarden-clients"  # geo $mailwarden { include ...; }
    reload_interval: float = 5.0  # seconds between two reloads, at least
    nginx: tuple[str, ...] = ("nginx",)  # the command


class Nginx(Writing):
    """Writes the file and has it read."""

    Settings = NginxSettings
    blind_to = "connections that stand already, what does not come through nginx, and accounts"
    settings: NginxSettings

    def __init__(
        self,
        settings: GatewaySettings,
        name: str = "nginx",
        lifted: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(settings, name, lifted)
        command = [*self.settings.nginx, "-s", "reload"]
        self._reload = Reload(command, self.settings.reload_interval, clock)

    def render(self, decisions: Sequence[Decision]) -> dict[str, str]:
        """Milder decisions and pardons are holes in a wider network."""
        rows: dict[str, int] = {}
        for decision in decisions:
            found = targets.prefix(decision)
            if found is not None:
                refused = decision.action in REFUSED and not targets.pardoned(decision)
                rows.setdefault(prefixes.write(found), int(refused))
        text = "".join(f"{network} {refused};\n" for network, refused in rows.items())
        return {self.settings.clients: HEADER + text}

    def reload(self, path: str) -> Reload:
        return self._reload

    def reaches(self, decision: Decision) -> bool:
        return decision.action in REFUSED and targets.prefix(decision) is not None

    def review(self) -> list[Note]:
        path = self.settings.clients
        try:
            config = asked([*self.settings.nginx, "-T"])
        except GatewayError as error:
            return [Note("unknown", str(error))]
        included = re.search(
            rf"^\s*geo [^{{}}]*\{{[^}}]*include {re.escape(path)};", config, re.MULTILINE
        )
        if included is None:
            remedy = (f"geo $mailwarden {{ default 0; include {path}; }}",)
            return [Note("failed", f"no geo block of nginx includes {path}", remedy)]
        return [Note("ok", f"a geo block of nginx includes {path}")]
