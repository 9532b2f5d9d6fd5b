"""`/api/policy`: what is in force, its versions, and the shadow beside it."""

from django.http import HttpResponse
from rest_framework.request import Request

from api.answers import answer, nothing
from api.describe import describes
from api.paging import page, read_paging
from api.parse.policy import new_policy, new_shadow, why
from api.view import View
from conductor import policies
from conductor.policies import image_of
from conductor.policy_differences import differences
from conductor.policy_differences import image_of as difference_image
from providers.refusals import Invalid, NotFound
from store.record_roles import ADMIN, VIEWER

DIGITS = 10  # of a version's number


class Policy(View):
    roles = {"GET": VIEWER, "POST": ADMIN}
    since = "1.1"

    @describes("Read the policy in force", answers={200: "StoredPolicy"})
    def get(self, request: Request) -> HttpResponse:
        self.no_query()
        return answer(image_of(policies.current().in_force))

    @describes(
        "Put another policy in force, based on the one that is",
        body="NewPolicy",
        answers={201: "StoredPolicy"},
        errors=("conflict", "contended"),
    )
    def post(self, request: Request) -> HttpResponse:
        self.no_query()
        new = new_policy(self.body())
        made = policies.put(new.policy, new.based_on, self.caller().username, new.reason)
        return answer(image_of(made), 201)


class PolicyVersions(View):
    roles = {"GET": VIEWER}
    since = "1.1"

    @describes(
        "List the versions of the policy, newest first",
        answers={200: "StoredPolicyPage"},
        paged=True,
    )
    def get(self, request: Request) -> HttpResponse:
        query = self.query()
        paging = read_paging(query)
        query.done()
        before = policies.AFTER_ALL if paging.cursor is None else _number(paging.cursor)
        if before is None:
            raise Invalid("next", "is not a cursor of this list")
        found = policies.history(paging.limit, before)
        more = len(found) == paging.limit and found[-1].version > policies.SETTINGS
        return answer(page(map(image_of, found), str(found[-1].version) if more else None))


class PolicyVersion(View):
    roles = {"GET": VIEWER}
    since = "1.1"

    @describes("Read a version of the policy", answers={200: "StoredPolicy"}, errors=("not_found",))
    def get(self, request: Request, version: str) -> HttpResponse:
        self.no_query()
        return answer(image_of(policies.find(_version(version))))


class PolicyRestore(View):
    roles = {"POST": ADMIN}
    since = "1.1"

    @describes(
        "Put what an older version says in force, as a new one",
        body="WhyRestore",
        answers={201: "StoredPolicy"},
        errors=("not_found", "contended"),
    )
    def post(self, request: Request, version: str) -> HttpResponse:
        self.no_query()
        body = self.body()
        reason = why(body)
        body.done()
        made = policies.bring_back(_version(version), self.caller().username, reason)
        return answer(image_of(made), 201)


class PolicyShadow(View):
    roles = {"GET": VIEWER, "POST": ADMIN, "DELETE": ADMIN}
    since = "1.1"

    @describes("Read the shadow policy", answers={200: "StoredPolicy"}, errors=("not_found",))
    def get(self, request: Request) -> HttpResponse:
        self.no_query()
        running = policies.current().shadow
        if running is None:
            raise NotFound("no shadow policy runs")
        return answer(image_of(running))

    @describes(
        "Run a shadow policy beside the one in force, in place of the shadow before",
        body="NewShadow",
        answers={201: "StoredPolicy"},
        errors=("not_found", "contended"),
    )
    def post(self, request: Request) -> HttpResponse:
        self.no_query()
        new = new_shadow(self.body())
        body = new.policy if new.version is None else policies.find(new.version).body
        return answer(image_of(policies.run_shadow(body, self.caller().username, new.reason)), 201)

    @describes("End the shadow policy", answers={204: None}, errors=("not_found", "conflict"))
    def delete(self, request: Request) -> HttpResponse:
        self.no_query()
        policies.end_shadow()
        return nothing()


class PolicyDifferences(View):
    roles = {"GET": VIEWER}
    since = "1.1"

    @describes(
        "List where the shadow would have chosen other hosts, newest first",
        answers={200: "PolicyDifferencePage"},
        paged=True,
    )
    def get(self, request: Request) -> HttpResponse:
        query = self.query()
        paging = read_paging(query)
        query.done()
        found = differences(paging.limit, paging.cursor)
        return answer(page(map(difference_image, found.results), found.next))


def _version(text: str) -> int:
    found = _number(text)
    if found is None:
        raise NotFound(f"no policy version {text[:100]}")
    return found


def _number(text: str) -> int | None:
    """Of a path or cursor; None: it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= DIGITS else None
