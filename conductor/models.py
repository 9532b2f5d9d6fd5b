"""Requests, policies and what a shadow policy would have chosen, as entries of the admin; to read."""

from store.record_model import GLOBAL, PER_DATACENTER, RecordModel, columns


class RequestRecord(RecordModel):
    """The life of one request, moved by transactions on `version`."""

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


class PolicyRecord(RecordModel):
    """One version of a policy; the static columns say which is in force."""

    __table_name__ = "policies"
    __scope__ = GLOBAL
    __written_by__ = "conductor.policies"

    name = columns.Text(partition_key=True)
    version = columns.Integer(primary_key=True, clustering_order="DESC")
    latest = columns.Integer(static=True)
    in_force = columns.Integer(static=True)
    shadow = columns.Integer(static=True)
    body = columns.Text()
    based_on = columns.Integer()
    as_shadow = columns.Boolean()
    reason = columns.Text()
    touched = columns.UUID()
    created_at = columns.DateTime()
    created_by = columns.Text()

    class Meta:
        app_label = "conductor"
        managed = False
        verbose_name = "policy version"


class PolicyDifferenceRecord(RecordModel):
    """Where a shadow policy would have chosen otherwise."""

    __table_name__ = "policy_differences"
    __scope__ = GLOBAL
    __written_by__ = "conductor.policy_differences"

    hour = columns.DateTime(partition_key=True)
    id = columns.TimeUUID(primary_key=True, clustering_order="DESC")
    request_id = columns.UUID()
    real_version = columns.Integer()
    shadow_version = columns.Integer()
    resource_class = columns.Text()
    real_choice = columns.List(columns.Text)
    shadow_choice = columns.List(columns.Text)

    class Meta:
        app_label = "conductor"
        managed = False
        verbose_name = "other choice of the shadow"
        verbose_name_plural = "other choices of the shadow"
