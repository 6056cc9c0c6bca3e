"""Certificates for tests, made by openssl(1): it alone sets any two dates."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

CONFIG = """\
[ca]
default_ca = ours
[ours]
database = {folder}/index.txt
new_certs_dir = {folder}
default_md = sha256
rand_serial = yes
copy_extensions = copy
policy = policy
[policy]
commonName = supplied
[req]
distinguished_name = name
prompt = no
[name]
commonName = {name}
"""


def self_signed(folder: Path, name: str, begin: float, end: float) -> Path:
    """A file with key and certificate of `name`, good from `begin` to `end`, Unix seconds."""
    folder.mkdir()
    (folder / "index.txt").touch()
    config = folder / "config"
    config.write_text(CONFIG.format(folder=folder, name=name))
    key, request, chain = (folder / each for each in ("key.pem", "request.pem", "chain.pem"))
    _openssl(
        *("req", "-new", "-newkey", "rsa:2048", "-nodes", "-config", config),
        *("-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", request),
    )
    _openssl(
        *("ca", "-batch", "-selfsign", "-notext", "-config", config, "-keyfile", key),
        *("-startdate", _date(begin), "-enddate", _date(end), "-in", request, "-out", chain),
    )
    chain.write_text(key.read_text() + chain.read_text())
    return chain


def _date(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y%m%d%H%M%SZ")


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)
