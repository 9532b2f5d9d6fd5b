"""`/api/providers/{id}/token`: issued, replaced, revoked."""

import uuid

from tests.rooms.api.portal import Portal


def test_issuing_again_replaces_it_and_deleting_revokes_it(admin, new_host):
    provider = new_host()
    path, heartbeat = f"/api/providers/{provider['id']}/token", f"/api/providers/{provider['id']}/heartbeat"
    first = admin.post(path)
    assert (first.status, first.body["provider"]) == (201, provider["id"])
    assert Portal(first.body["token"]).post(heartbeat).status == 200

    second = admin.post(path)
    assert second.status == 201
    assert Portal(first.body["token"]).post(heartbeat).code == "unauthenticated"
    assert Portal(second.body["token"]).post(heartbeat).status == 200

    assert admin.delete(path).status == 204
    assert Portal(second.body["token"]).post(heartbeat).code == "unauthenticated"
    assert admin.delete(path).status == 204  # twice changes nothing


def test_it_is_for_admins_and_for_a_provider_that_is_there(admin, operator, new_host):
    path = f"/api/providers/{new_host()['id']}/token"
    assert operator.post(path).code == "forbidden"
    assert operator.delete(path).code == "forbidden"
    missing = f"/api/providers/{uuid.uuid4()}/token"
    assert (admin.post(missing).code, admin.delete(missing).code) == ("not_found", "not_found")
