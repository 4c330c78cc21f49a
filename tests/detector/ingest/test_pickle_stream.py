"""What one end sends is what the other receives, and what was sent before is not sent again."""

from __future__ import annotations

import random

import pytest

from detector.ingest import pickle_stream
from detector.ingest.pickle_stream import StreamPickler, StreamUnpickler


def unpicklable() -> object:
    return lambda: None


def test_object_of_an_earlier_value_is_sent_once() -> None:
    sender, receiver = StreamPickler(), StreamUnpickler()
    caller = ("arn:aws:iam::111122223333:user/ana", "x" * 10_000)

    first, second = sender.dumps([caller]), sender.dumps({"again": caller})

    assert len(first) > 10_000 > 100 > len(second)
    (received,) = receiver.loads(first)
    assert receiver.loads(second)["again"] is received
    assert received == caller


def test_values_arrive_as_they_were_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is shared, forgotten, and refused between."""
    monkeypatch.setattr(pickle_stream, "_KEPT_BYTES", 3_000)
    chance = random.Random(7)
    shared = [(number, "text" * chance.randrange(30)) for number in range(50)]
    sender, receiver = StreamPickler(), StreamUnpickler()
    for number in range(400):
        value = [chance.choice(shared) for _ in range(chance.randrange(8))]
        if chance.random() < 0.1:
            with pytest.raises((AttributeError, TypeError, ValueError)):
                sender.dumps([value, unpicklable()])
        assert receiver.loads(sender.dumps({number: value})) == {number: value}


def test_what_was_sent_is_not_kept_for_ever() -> None:
    sender = StreamPickler()
    text = "x" * (3 << 20)

    sizes = [len(sender.dumps(text)) for _ in range(3)]

    assert min(sizes) > 3 << 20


def test_small_values_are_forgotten_when_they_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle_stream, "_KEPT_BYTES", 3_000)
    sender = StreamPickler()
    texts = [f"{number:04}" * 50 for number in range(100)]

    sizes = [len(sender.dumps(text)) for text in texts]

    assert max(sizes) < 1_000
    assert len(sender.dumps(texts[0])) == sizes[0]
