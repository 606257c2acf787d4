"""Points in time as they are stored: how the database keeps them, and the ones that code needs."""

from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect, TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time: stored as UTC without a zone (SQLite has none), always returned with its zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Refuse times without a zone: they would silently mean this machine's zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored time needs its zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Add the zone again."""
        return value.replace(tzinfo=UTC) if value else None


# Stands for the time of what must not be found again by it.
NO_TIME = datetime(2000, 1, 1, tzinfo=UTC)


def now() -> datetime:
    """The current time, with its zone."""
    return datetime.now(UTC)


def today() -> datetime:
    """The day, without the time of day."""
    return now().replace(hour=0, minute=0, second=0, microsecond=0)
