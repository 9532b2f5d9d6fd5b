"""Events as an entry of the admin; they are written by events/append.py."""

from store.record_model import PER_DATACENTER, RecordModel, columns


class EventRecord(RecordModel):
    """A line of a cell's log."""

    __table_name__ = "events"
    __scope__ = PER_DATACENTER
    __written_by__ = "events.append"

    cell = columns.Text(partition_key=True)
    bucket = columns.DateTime(partition_key=True)
    id = columns.TimeUUID(primary_key=True)
    type = columns.Text()
    provider_id = columns.UUID()
    root_id = columns.UUID()
    resource_class = columns.Text()
    claim_id = columns.UUID()
    request_id = columns.UUID()
    generation = columns.BigInt()
    data = columns.Text()
    image = columns.Text()

    class Meta:
        app_label = "events"
        managed = False
        verbose_name = "event"
