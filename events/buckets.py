"""The event log's partitions: short time buckets, and a directory of the days' used ones."""

import datetime as dt

SECONDS = 30


def bucket_of(at: dt.datetime) -> dt.datetime:
    """The start of the bucket that `at` (UTC) falls into."""
    stamp = int(at.timestamp())
    return dt.datetime.fromtimestamp(stamp - stamp % SECONDS, dt.UTC)


def following(bucket: dt.datetime) -> dt.datetime:
    return bucket + dt.timedelta(seconds=SECONDS)
