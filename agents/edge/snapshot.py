"""What an edge knew, on disk: the image of its block list, sealed.

The seal tells a file that was cut or mended by hand; whoever has the right to write it may write
another. The file belongs to the edge alone (mode 0600), as its settings do.
"""

import hashlib
from pathlib import Path

import msgspec

from streams import atomic
from streams.image import Image

MARK = b"mailwarden decisions 1\n"
SEAL = hashlib.sha256().digest_size

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Image).decode


def read(path: Path) -> Image:
    """Raises OSError, and ValueError where it is no snapshot, or a damaged one."""
    with path.open("rb") as file:
        if file.read(len(MARK)) != MARK:
            raise ValueError("no snapshot of this version")
        seal, data = file.read(SEAL), file.read()
    if hashlib.sha256(data).digest() != seal:
        raise ValueError("damaged: it is not what was written")
    return _decode(data)


def write(path: Path, image: Image) -> None:
    """Raises OSError; the file is then as it was."""
    data = _encode(image)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    atomic.replace(path, b"".join((MARK, hashlib.sha256(data).digest(), data)), 0o600)
