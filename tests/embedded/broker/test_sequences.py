"""A retry of an idempotent producer is recognised, whatever the numbers are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastmile.embedded.broker.batches import Batch
from lastmile.embedded.broker.errors import Code, Refused
from lastmile.embedded.broker.sequences import REMEMBERED, Sequences


def batch(sequence: int, count: int = 1, epoch: int = 0, producer: int = 1) -> Batch:
    return Batch(100, 0, count, 0, producer, epoch, sequence % 2**31)


@given(st.integers(0, 2**31 - 1), st.lists(st.integers(1, 1000), min_size=1, max_size=20))
def test_each_of_the_last_batches_is_known_and_the_next_is_new(first: int, counts: list[int]) -> None:
    sequences, sequence, offset, written = Sequences(), first, 0, []
    for count in counts:
        new = batch(sequence, count)
        assert sequences.earlier(new) is None
        sequences.append(new, offset)
        written.append((new, offset))
        sequence, offset = sequence + count, offset + count
    for known, at in written[-REMEMBERED:]:
        assert sequences.earlier(known) == at
    restored = Sequences.from_json({key: [list(one) for one in ones] for key, ones in sequences.as_json().items()})
    assert restored.earlier(written[-1][0]) == written[-1][1]
    with pytest.raises(Refused) as gap:
        sequences.earlier(batch(sequence + 1))
    assert gap.value.code is Code.OUT_OF_ORDER_SEQUENCE_NUMBER


def test_a_producer_of_an_older_epoch_writes_nothing() -> None:
    sequences = Sequences()
    sequences.append(batch(0, epoch=1), 0)
    with pytest.raises(Refused) as old:
        sequences.earlier(batch(1, epoch=0))
    assert old.value.code is Code.INVALID_PRODUCER_EPOCH
    assert sequences.earlier(batch(0, epoch=2)) is None
