"""``NamedTuple`` against that of ``typing``."""

from __future__ import annotations

import pickle
import typing

import msgspec
import pytest

from detector.text.named_tuple import NamedTuple


class Span(NamedTuple):
    """A span of seconds."""

    first: int
    last: int
    names: tuple[str, ...] = ()
    """Of whom."""

    @property
    def length(self) -> int:
        return self.last - self.first

    @classmethod
    def of(cls, second: int) -> Span:
        return cls(second, second)


class TypedSpan(typing.NamedTuple):
    """A span of seconds."""

    first: int
    last: int
    names: tuple[str, ...] = ()
    """Of whom."""


def test_class_says_what_that_of_typing_says() -> None:
    assert Span._fields == TypedSpan._fields
    assert Span._field_defaults == TypedSpan._field_defaults
    assert typing.get_type_hints(Span) == typing.get_type_hints(TypedSpan)
    assert (Span.__name__, Span.__qualname__, Span.__module__) == ("Span", "Span", __name__)
    assert Span.__doc__ == TypedSpan.__doc__
    assert repr(Span(1, 2)).replace("Span", "TypedSpan") == repr(TypedSpan(1, 2))


def test_instance_is_a_tuple_with_its_methods() -> None:
    span = Span(3, last=5)
    assert span == (3, 5, ()) == TypedSpan(3, 5)
    assert hash(span) == hash(TypedSpan(3, 5))
    assert (span.length, Span.of(7)) == (2, (7, 7, ()))
    assert span._replace(first=1) == Span(1, 5)
    with pytest.raises(TypeError):
        Span(1)  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        span.first = 2  # type: ignore[misc]
    assert not hasattr(span, "__dict__")


def test_instance_travels() -> None:
    span = Span(3, 5, ("ana",))
    assert pickle.loads(pickle.dumps(span)) == span
    packed = msgspec.msgpack.encode(span)
    assert msgspec.msgpack.decode(packed, type=Span) == span
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(["3", 5]), type=Span)
