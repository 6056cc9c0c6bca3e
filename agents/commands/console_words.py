"""What `mailwarden check` says of the console."""

from collections import Counter
from collections.abc import Iterator

from agents.configuration import Config
from agents.console.access.checked import checked
from streams import needs
from streams.gateway import Grade
from streams.http_serving import near, tls_context


def console(config: Config) -> Iterator[tuple[Grade, str, tuple[str, ...]]]:
    """A grade, what it is about, and what helps. Raises SettingsError."""
    settings = config.settings.console
    if settings is None:
        yield "ok", "off; `mailwarden console` serves one on loopback", ()
        return
    let_in = checked(settings)
    roles = Counter(user.role for user in settings.users.values())
    who = ", ".join(f"{count} {role}" for role, count in roles.items())
    if let_in.open:
        listen = settings.listen
        yield "warning", f"at {listen}: whoever is logged in on this machine is an admin", ()
    else:
        of_file = len(let_in.people) - roles.total()
        more = [who] if who else []
        more += [f"{of_file} of {settings.users_file}"] if of_file else []
        more += [f"by the proxy at {', '.join(settings.proxy.addresses)}"] if settings.proxy else []
        yield "ok", f"at {settings.listen}, for {'; '.join(more)}", ()
    if settings.certificate:
        try:
            tls_context(settings.certificate, settings.certificate_key)
        except (OSError, ValueError) as error:
            yield "failed", str(error), ()
    elif not near(settings.listen):
        yield "warning", "without TLS, as console.plain says: passwords can be read on the way", ()
    note = needs.vacant(settings.listen)
    if note.grade == "failed":
        yield "warning", f"{note.text} (does one run already?)", ()
