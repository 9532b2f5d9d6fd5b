"""Requests as an entry of the admin; conductor/rows.py writes them, by transactions on `version`."""

from store.record_model import PER_DATACENTER, RecordModel, columns


class RequestRecord(RecordModel):
    """The life of one request."""

    __table_name__ = "requests"
    __scope__ = PER_DATACENTER
    __written_by__ = "conductor.accept, conductor.place, conductor.progress, conductor.release"

    request_id = columns.UUID(partition_key=True)
    version = columns.Integer()
    state = columns.Text()
    epoch = columns.Integer()
    cell = columns.Text()
    project = columns.Text()
    consumer = columns.Text()
    username = columns.Text()
    attempts = columns.Integer()
    reason = columns.Text()
    created_at = columns.DateTime()
    updated_at = columns.DateTime()

    class Meta:
        app_label = "conductor"
        managed = False
        verbose_name = "request"
