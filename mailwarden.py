"""The command `mailwarden`.

The packages streams, agents and schemas have common names: where another distribution's lie in
their place, say so before anything is imported from them.
"""

import sys
from importlib.util import find_spec
from pathlib import Path


def main() -> None:
    """Run the command line."""
    here = Path(__file__).resolve().parent
    for name in ("schemas", "streams", "agents"):
        spec = find_spec(name)
        if spec is None or spec.origin is None or Path(spec.origin).parent.parent != here:
            found = spec.origin if spec else "missing"
            sys.exit(
                f"mailwarden: the package {name!r} belongs to another distribution ({found}).\n"
                "Install mailwarden in an environment of its own (venv or pipx)."
            )
    from agents.commands import cli

    cli()


if __name__ == "__main__":
    main()
