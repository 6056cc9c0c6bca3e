"""What `mailwarden check` says of each domain: the policy that it has, and from where."""

from collections.abc import Iterator

from agents.configuration import Config
from agents.domains import inherited


def domains(config: Config) -> Iterator[str]:
    """One line for each of ours and each that has a section; none where no domain has any."""
    own = config.policies
    if not own:
        return
    for domain in sorted({*config.site.domains, *own}):
        said = own.of(domain).words()
        varied = sorted(
            name for name, table in config.variants.items() if inherited(table, domain) is not None
        )
        if varied:
            said.append(f"settings of its own for {', '.join(varied)}")
        yield f"{domain}: {'; '.join(said) or 'as for everybody'}"
