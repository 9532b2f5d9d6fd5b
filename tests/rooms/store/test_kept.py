"""What a process keeps for a while is read anew in time, and goes on being used while it cannot be read."""

import threading
import time

import pytest

from store.failures import StoreUnavailable
from store.kept import Kept


class Source:
    """Says how many times it was asked; `away`: it does not answer."""

    def __init__(self):
        self.asked, self.away, self.meanwhile = 0, False, lambda: None

    def __call__(self):
        self.asked += 1
        self.meanwhile()
        if self.away:
            raise StoreUnavailable("away")
        return self.asked


@pytest.fixture
def source(settings):
    settings.POLICY_REFRESH = 0.05
    return Source()


def test_it_is_read_once_in_a_while(source):
    kept = Kept(source)
    assert [kept.get(), kept.get()] == [1, 1]
    time.sleep(0.06)
    assert [kept.get(), kept.get()] == [2, 2]


def test_an_old_copy_is_better_than_none(source):
    kept = Kept(source)
    source.away = True
    with pytest.raises(StoreUnavailable):
        kept.get()
    source.away = False
    assert kept.get() == 2
    source.away = True
    kept.forget()
    assert [kept.get(), kept.get()] == [2, 2]
    assert source.asked == 3  # and it is not asked by everybody all the time
    source.away = False
    time.sleep(0.06)
    assert kept.get() == 4


def test_what_was_written_while_it_was_read_is_read_again(source):
    kept = Kept(source)
    source.meanwhile = kept.forget
    kept.get()
    source.meanwhile = lambda: None
    assert kept.get() == 2


def test_the_others_go_on_while_one_reads(source):
    kept = Kept(source)
    kept.get()
    kept.forget()
    reads, goes_on = threading.Event(), threading.Event()
    source.meanwhile = lambda: (reads.set(), goes_on.wait(5))
    reader = threading.Thread(target=kept.get)
    reader.start()
    assert reads.wait(5)
    assert kept.get() == 1
    goes_on.set()
    reader.join()
    assert kept.get() == 2
