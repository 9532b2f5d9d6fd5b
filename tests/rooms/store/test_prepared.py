"""A statement that many threads ask for at once is prepared once, and the driver still knows it afterwards."""

import gc
import threading
import uuid

import pytest

from store.session import keyspace, prepare, session


@pytest.mark.usefixtures("cassandra")
def test_threads_that_prepare_at_once_share_what_the_driver_keeps() -> None:
    cql = f"SELECT name AS n{uuid.uuid4().hex[:8]} FROM {keyspace()}.cells WHERE all_cells = ?"
    session()
    together = threading.Barrier(8)
    made = []

    def ask() -> None:
        together.wait()
        made.append(prepare(cql))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    query_id = made[0].query_id
    assert len({id(one) for one in made}) == 1
    del made[:]
    gc.collect()
    # What a node that was started again asks for; with a batch the driver has no other way to find it.
    assert session().cluster._prepared_statements[query_id] is prepare(cql)
