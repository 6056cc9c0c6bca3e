"""The API against its own OpenAPI document: schemathesis asks what the document permits, and what
it forbids. Nothing of it may end in a 500, or be answered otherwise than is written there."""

import subprocess
import sys
from pathlib import Path

from tests.console.harness import serving_place
from tests.console.told import ANNA, GUESSER, account, alert, decision, gateway

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "ignored_auth",
)
EXAMPLES = 25  # for each operation and phase
OTHERS = "log_in", "log_out"  # they end the session that asks


def test_the_api_is_as_it_says(tmp_path: Path) -> None:
    with serving_place(tmp_path) as place:
        place.tell(
            alert("a1"),
            account("a2", ANNA),
            decisions=(decision(GUESSER, alert="a1"), decision(ANNA, "lock", "account")),
            gateways=gateway(),
        )
        browser = place.browser("ada")
        (tmp_path / "schemathesis.toml").write_text(
            f'[auth.openapi.session]\napi_key = "{browser.cookies["mailwarden"]}"\n'
            f'[auth.openapi.csrf]\napi_key = "{browser.csrf}"\n'
        )
        (tmp_path / "openapi.json").write_bytes(browser.get("/api/v1/openapi.json").body)
        command = [sys.executable, "-m", "schemathesis.cli", "run"]
        command += ["openapi.json", "--url", f"http://127.0.0.1:{place.port}"]
        command += ["--checks", ",".join(CHECKS), "--seed", "1", "--phases"]
        command += ["examples,coverage,fuzzing", "--max-examples", str(EXAMPLES), "--no-color"]
        for name in OTHERS:
            command += ["--exclude-operation-id", name]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, timeout=1200, check=False
        )
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
