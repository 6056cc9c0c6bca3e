"""Types of what a request may say, with their bounds."""

from typing import Annotated

from msgspec import Meta

Short = Annotated[str, Meta(max_length=256)]
Named = Annotated[str, Meta(min_length=1, max_length=1100)]  # a client and an account at most
IncidentId = Annotated[str, Meta(min_length=1, max_length=64)]
Id = Annotated[str, Meta(min_length=1, max_length=1200)]
Reason = Annotated[str, Meta(min_length=1, max_length=4000)]
Limit = Annotated[int, Meta(ge=1, le=200)]
Offset = Annotated[int, Meta(ge=0, le=1_000_000)]
Seconds = Annotated[float, Meta(ge=60.0, le=366 * 86400.0)]
