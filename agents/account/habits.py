"""What a mailbox usually sends, day by day: the past that it is measured against.

Two weeks, a few numbers a day. The second largest day counts as usual, so that one odd day, an
invoice run or an earlier burst, neither raises it nor is raised by it.
"""

from msgspec import Struct, field

from agents.windows import DAY

DAYS = 14


class Day(Struct, array_like=True):
    day: int  # since 1970, UTC
    hourly: int = 0  # the most recipients within an hour
    largest: int = 0  # the most recipients of one message
    pace: int = 0  # the most messages in 10 min
    hours: int = 0  # a bit for each hour of the day in which something was sent
    daily: int = 0  # recipients


class Habits(Struct, array_like=True):
    days: list[Day] = field(default_factory=list)  # with mail, the newest last

    def note(self, at: float, hourly: int, largest: int, pace: int, recipients: int) -> None:
        """A message with so many recipients was sent at `at`, and these are the counts with it."""
        number = int(at) // DAY
        day = self.days[-1] if self.days else None
        if day is None or day.day < number:
            day = Day(number)
            self.days.append(day)
            del self.days[: -DAYS - 1]
        elif day.day > number:
            day = next((one for one in self.days if one.day == number), day)
        day.hourly = max(day.hourly, hourly)
        day.largest = max(day.largest, largest)
        day.pace = max(day.pace, pace)
        day.hours |= 1 << int(at) % DAY // 3600
        day.daily += recipients

    def before(self, at: float) -> list[Day]:
        """The days with mail of the two weeks before the day of `at`."""
        today = int(at) // DAY
        return [day for day in self.days if today - DAYS <= day.day < today]

    def oldest(self) -> int:
        """The first day with mail that is known, since 1970; 0 where there is none."""
        return self.days[0].day if self.days else 0


def usual(counts: list[int]) -> int:
    """The second largest of the counts of some days; of a single day, its own; of none, 0."""
    return sorted(counts)[-2:][0] if counts else 0


def awake(days: list[Day], at: float) -> bool:
    """Whether something was sent in this hour of the day, or the one before or after, before."""
    hour = int(at) % DAY // 3600
    near = 1 << hour | 1 << (hour + 1) % 24 | 1 << (hour - 1) % 24
    return any(day.hours & near for day in days)
