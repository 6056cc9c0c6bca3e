import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.probing.postfix import Postfix


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    """A running one."""
    folder = Path(tempfile.mkdtemp(prefix="mailwarden-relay-"))
    folder.chmod(0o755)  # Postfix's own user must reach its sockets
    server = Postfix(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
