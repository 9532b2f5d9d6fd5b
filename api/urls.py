"""Every route of the API, on one page. Each view says in `roles` who may call which method."""

from django.urls import URLPattern, path, re_path

from api.describe import OpenApi
from api.views.agents import Heartbeat, ProviderClaims, ProviderInstances, Report
from api.views.aggregates import Aggregate, AggregateMembers, Aggregates
from api.views.capacity import Capacity
from api.views.cells import Cell, Cells
from api.views.claims import Building, Claim, Claims, Consume, Failed
from api.views.events import Events
from api.views.explain import Explain, RequestExplain
from api.views.headroom import Headroom
from api.views.inventory import KeptAmounts
from api.views.operate import (
    MaintenanceWindow,
    ProviderDecommission,
    ProviderDrain,
    ProviderHistory,
    ProviderMaintenance,
)
from api.views.policies import (
    Policy,
    PolicyDifferences,
    PolicyRestore,
    PolicyShadow,
    PolicyVersion,
    PolicyVersions,
)
from api.views.providers import Provider, Providers, ProviderToken
from api.views.requests import Destroyed, OneRequest, Requests
from api.views.resource_classes import ResourceClass, ResourceClasses
from api.views.schedule import Schedule, ScheduleCommit
from api.views.version import Unknown, VersionDocument
from api.views.whoami import WhoAmI

urlpatterns: list[URLPattern] = [
    path("", VersionDocument.as_view(), name="versions"),
    path("cells", Cells.as_view(), name="cells"),
    path("cells/<path:name>", Cell.as_view(), name="cell"),
    path("resource-classes", ResourceClasses.as_view(), name="resource-classes"),
    path("resource-classes/<str:name>", ResourceClass.as_view(), name="resource-class"),
    path("providers", Providers.as_view(), name="providers"),
    path("providers/<str:provider_id>", Provider.as_view(), name="provider"),
    path("providers/<str:provider_id>/claims", ProviderClaims.as_view(), name="provider-claims"),
    path("providers/<str:provider_id>/instances", ProviderInstances.as_view(), name="provider-instances"),
    path("providers/<str:provider_id>/heartbeat", Heartbeat.as_view(), name="provider-heartbeat"),
    path("providers/<str:provider_id>/report", Report.as_view(), name="provider-report"),
    path("providers/<str:provider_id>/token", ProviderToken.as_view(), name="provider-token"),
    path("providers/<str:provider_id>/history", ProviderHistory.as_view(), name="provider-history"),
    path("providers/<str:provider_id>/drain", ProviderDrain.as_view(), name="provider-drain"),
    path("providers/<str:provider_id>/maintenance", ProviderMaintenance.as_view(), name="provider-maintenance"),
    path("providers/<str:provider_id>/maintenance/<str:window_id>", MaintenanceWindow.as_view(), name="maintenance"),
    path("providers/<str:provider_id>/decommission", ProviderDecommission.as_view(), name="provider-decommission"),
    path("schedule", Schedule.as_view(), name="schedule"),
    path("schedule/commit", ScheduleCommit.as_view(), name="schedule-commit"),
    path("explain", Explain.as_view(), name="explain"),
    path("requests", Requests.as_view(), name="requests"),
    path("requests/<str:request_id>", OneRequest.as_view(), name="request"),
    path("requests/<str:request_id>/explain", RequestExplain.as_view(), name="request-explain"),
    path("requests/<str:request_id>/destroyed", Destroyed.as_view(), name="request-destroyed"),
    path("claims", Claims.as_view(), name="claims"),
    path("claims/<str:claim_id>", Claim.as_view(), name="claim"),
    path("claims/<str:claim_id>/building", Building.as_view(), name="claim-building"),
    path("claims/<str:claim_id>/consume", Consume.as_view(), name="claim-consume"),
    path("claims/<str:claim_id>/failed", Failed.as_view(), name="claim-failed"),
    path("aggregates", Aggregates.as_view(), name="aggregates"),
    path("aggregates/<path:name>/members", AggregateMembers.as_view(), name="aggregate-members"),
    path("aggregates/<path:name>", Aggregate.as_view(), name="aggregate"),
    path("policy", Policy.as_view(), name="policy"),
    path("policy/versions", PolicyVersions.as_view(), name="policy-versions"),
    path("policy/versions/<str:version>", PolicyVersion.as_view(), name="policy-version"),
    path("policy/versions/<str:version>/restore", PolicyRestore.as_view(), name="policy-restore"),
    path("policy/shadow", PolicyShadow.as_view(), name="policy-shadow"),
    path("policy/differences", PolicyDifferences.as_view(), name="policy-differences"),
    path("inventory", KeptAmounts.as_view(), name="inventory"),
    path("capacity", Capacity.as_view(), name="capacity"),
    path("headroom", Headroom.as_view(), name="headroom"),
    path("events", Events.as_view(), name="events"),
    path("whoami", WhoAmI.as_view(), name="whoami"),
    path("schema/", OpenApi.as_view(), name="schema"),
    re_path(r"^.*$", Unknown.as_view(), name="unknown"),  # last: whatever is none of the above
]
