"""Debian's CrowdSec bouncers, each configured by the test, in a network namespace of its own."""

import shutil
import subprocess
from pathlib import Path

from tools.namespaces import Namespace

SHIPPED = Path("/etc/crowdsec/bouncers")
PATIENCE = 30.0  # seconds
QUIET = """\
log_mode: stdout
prometheus:
  enabled: false
"""


class Bouncer:
    """`name` is that of the package; `local` is what an administrator writes into NAME.yaml.local,
    beside what the package ships."""

    def __init__(self, name: str, folder: Path, place: Namespace, local: str) -> None:
        assert shutil.which(name), f"{name} is missing: run tools/debian-setup"
        config = folder / f"{name}.yaml"
        shutil.copy(SHIPPED / config.name, config)
        config.with_suffix(".yaml.local").write_text(local + QUIET)
        self.log = folder / f"{name}.log"
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                [*place.command, name, "-c", str(config)], stdout=log, stderr=subprocess.STDOUT
            )

    def stop(self) -> None:
        """It takes back what it enforces."""
        self._process.terminate()
        self._process.wait(PATIENCE)
