"""Which topics of others are read, by the settings."""

import zoneinfo

from msgspec import structs

from schemas.settings import Settings, SettingsError, TopicSettings
from streams.parsers import PARSERS

RAW = "mail.raw"


def wanted(settings: Settings) -> dict[str, TopicSettings]:
    """The topics that are to be read, as the settings name them, with what is set for each.
    Raises SettingsError."""
    named = settings.intake.topics or (RAW,)
    topics = named if isinstance(named, dict) else dict.fromkeys(named, TopicSettings())
    for name, one in topics.items():
        known = (*PARSERS, *settings.parsers.custom)
        if one.format not in ("auto", *known):
            raise SettingsError(
                f"intake.topics.{name}.format: expected auto or one of {', '.join(known)}"
            )
        if one.zone and one.zone not in zoneinfo.available_timezones():
            raise SettingsError(f"intake.topics.{name}.zone: expected one such as Europe/Berlin")
    return {
        name: structs.replace(one, zone=one.zone or settings.site.zone)
        for name, one in topics.items()
    }
