"""What a report says of one recipient, before it becomes an event."""

from msgspec import Struct


class Failure(Struct):
    recipient: str  # lower case; "" where the report does not name it
    status: str = ""  # enhanced status code of the field that is made for it
    words: str = ""  # the diagnosis: a reply, or a sentence
    action: str = ""  # failed, delayed, delivered, relayed, expanded; "" where nothing says so
    remote: str = ""  # the server that said the words
    prose: str = ""  # what the text for people says of it
