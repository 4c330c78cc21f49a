"""Finds the caller of a record, whatever its names and form.

CloudTrail's ``userIdentity`` is an object. Other tools write it as text, as an array or a map, or
flattened, under names of their own. In such a record, a caller that ought to have an ARN but shows
none is considered lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import msgspec

from detector.cloudtrail.record import UserIdentity
from detector.formats.text_forms import structure
from detector.formats.values import JsonObject, as_object, one_value, squash, text_of
from detector.text.late_pattern import late_pattern


class NoCaller(Exception):
    """The record has a caller that cannot be read."""


def _paths(struct: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for field in msgspec.structs.fields(struct):
        inner = next(
            (type_ for type_ in get_args(field.type) if hasattr(type_, "__match_args__")), None
        )
        if inner is None:
            yield (*path, field.encode_name)
        else:
            yield from _paths(inner, (*path, field.encode_name))


_FURTHER_PATHS = (
    ("identityProvider",),
    ("sessionContext", "sourceIdentity"),
    ("sessionContext", "assumedRoot"),
    ("sessionContext", "ec2RoleDelivery"),
    ("sessionContext", "webIdFederationData", "federatedProvider"),
)
_PATHS = {squash("".join(path)): path for path in (*_paths(UserIdentity), *_FURTHER_PATHS)}
_NAMES = frozenset(name for path in _PATHS.values() for name in path)
_SQUASHED_NAMES = frozenset(map(squash, _NAMES))
_ALIASES = {
    "accesskey": "accesskeyid",
    "account": "accountid",
    "name": "username",
    "principal": "principalid",
    "sessionissuerarn": "sessioncontextsessionissuerarn",
}
_ARN = late_pattern(
    r"arn:aws[a-z-]*:(?:iam::\d{12}:(?:user/|root)|sts::\d{12}:(?:assumed-role|federated-user)/)"
    r"[\w+=,.@/-]*"
)
_ROLE_ARN = late_pattern(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")
_KEY = late_pattern(r"(?:AKIA|ASIA)[A-Z0-9]{8,124}")
_TYPES_WITH_ARN = frozenset({"IAMUser", "AssumedRole", "Role", "Root", "FederatedUser"})
_DEEPEST = 4
"""The greatest number of wrappers around a caller."""
_HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
_CALLER_WORDS = ("identity", "caller", "principal", "actor", "user", "arn", "accesskey")
_NOT_CALLER_WORDS = ("agent", "shared", "event")


def read_caller(
    given: Any, flat: JsonObject, others: JsonObject, is_renamed: bool, is_named: bool
) -> Any:
    """Return a record's ``userIdentity``; None if CloudTrail named nobody. Raises NoCaller.

    ``given`` is the value of that name; ``flat`` has the values of names that begin with it, by the
    rest of the name; ``others`` those of names that are not CloudTrail's. ``is_renamed``: not all
    names in the record are CloudTrail's. ``is_named``: the record has the name ``userIdentity``.
    """
    is_own = isinstance(given, dict) and not flat and _is_own(given)
    if is_own and not (is_renamed and (_is_lost(given) or _is_misspelt(given))):
        return given
    if not _is_nothing(given) or any(not _is_nothing(value) for value in flat.values()):
        return _checked(_merged(_caller_of(given), _caller_of(flat)), is_renamed=True)
    callers = [caller for caller in map(_other_caller, others.items()) if caller]
    if len(callers) == 1:
        return _checked(callers[0], is_renamed=True)
    if callers or any(_is_callerlike(*item) for item in others.items()):
        raise NoCaller
    if is_renamed and not is_named:
        raise NoCaller
    return None


def _is_nothing(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_nothing, value.values()))
    if isinstance(value, list):
        return all(map(_is_nothing, value))
    return value is None or value == ""


def _is_own(given: JsonObject) -> bool:
    """Return whether an object is a caller as CloudTrail writes it."""
    try:
        identity = msgspec.convert(given, UserIdentity)
    except (msgspec.ValidationError, RecursionError):
        return False
    return bool(identity.arn or identity.type or identity.principal_id or identity.invoked_by) or (
        bool(identity.account_id or identity.access_key_id)
    )


def _is_misspelt(given: JsonObject) -> bool:
    """Return whether a caller has a name of CloudTrail's in another spelling."""
    for name, inner in given.items():
        if name not in _NAMES and squash(name) in _SQUASHED_NAMES:
            return True
        if isinstance(inner, dict) and _is_misspelt(inner):
            return True
    return False


def _caller_of(value: Any, depth: int = 0) -> JsonObject:
    """Return the caller that a value of any form contains; an empty object if there is none."""
    for _ in range(_DEEPEST):
        if isinstance(value, str):
            inner = structure(value)
            if inner is None:
                arns = _found_arns(value)
                return {"arn": value} if arns == {value} else {}
            value = inner
        elif isinstance(value, list) and len(value) == 1 and not _is_entry(value[0]):
            value = value[0]
        else:
            break
    value = as_object(value)
    if isinstance(value, list):
        return _by_form(value)
    if not isinstance(value, dict):
        return {}
    if len(value) == 1 and depth < _DEEPEST:
        inner_caller = _caller_of(next(iter(value.values())), depth + 1)
        if inner_caller.get("arn"):
            return inner_caller
    caller: JsonObject = {}
    _assign(caller, value, "")
    if not caller.get("arn"):
        arns = {
            arn for inner in value.values() if isinstance(inner, str) for arn in _found_arns(inner)
        }
        if len(arns) == 1:
            caller["arn"] = arns.pop()
    return caller


def _is_entry(value: Any) -> bool:
    return isinstance(value, dict) and set(map(squash, value)) == {"key", "value"}


def _assign(caller: JsonObject, value: JsonObject, before: str) -> None:
    """Store each value in ``caller`` at the path of its name, which may be spelled differently.

    ``before`` is the path so far, squashed."""
    for name, inner in value.items():
        squashed = before + squash(name)
        squashed = _ALIASES.get(squashed, squashed)
        if squashed in _PATHS:
            text = text_of(one_value(inner))
            if squashed.endswith("mfaauthenticated") and isinstance(inner, bool):
                text = str(inner).lower()
            if text is not None:
                _put(caller, _PATHS[squashed], text)
            continue
        if isinstance(inner, str):
            inner = structure(inner)
        inner = as_object(inner)
        if isinstance(inner, dict) and len(squashed) < 64:
            _assign(caller, inner, squashed)


def _put(caller: JsonObject, path: tuple[str, ...], value: str) -> None:
    *parents, name = path
    for parent in parents:
        caller = caller.setdefault(parent, {})
    caller.setdefault(name, value)


def _by_form(parts: list[Any]) -> JsonObject:
    """Return the caller of a struct without names; its ARN and key are recognized by their form."""
    texts = [part for part in parts if isinstance(part, str)]
    arns = {text for text in texts if text in _found_arns(text)}
    keys = {text for text in texts if _KEY.fullmatch(text)}
    if len(arns) != 1:
        return {}
    caller: JsonObject = {"arn": arns.pop()}
    if len(keys) == 1:
        caller["accessKeyId"] = keys.pop()
    if texts[0] in _TYPES_WITH_ARN:
        caller["type"] = texts[0]
    caller["accountId"] = caller["arn"].split(":")[4]
    roles = {text for text in _texts_within(parts) if _ROLE_ARN.fullmatch(text)}
    if len(roles) == 1:
        caller["sessionContext"] = {"sessionIssuer": {"type": "Role", "arn": roles.pop()}}
    return caller


def _texts_within(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for inner in value:
            yield from _texts_within(inner)
    elif isinstance(value, str):
        yield value


def _found_arns(text: str) -> set[str]:
    return {text} if len(text) < 2048 and _ARN.fullmatch(text) else set()


def _merged(first: JsonObject, second: JsonObject) -> JsonObject:
    merged = dict(second)
    for name, value in first.items():
        both = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = _merged(value, merged[name]) if both else value
    return merged


def _checked(caller: JsonObject, is_renamed: bool) -> JsonObject:
    if not caller or (is_renamed and _is_lost(caller)):
        raise NoCaller
    return caller


def _is_lost(caller: JsonObject) -> bool:
    """Return whether a caller ought to have an ARN, but has none."""
    if caller.get("arn"):
        return False
    if caller.get("userName") == _HIDDEN or caller.get("invokedBy"):
        return False
    return caller.get("type") is None or caller["type"] in _TYPES_WITH_ARN


def _other_caller(item: tuple[str, Any]) -> JsonObject | None:
    """Return the caller under a name that is not CloudTrail's; None if there is no ARN."""
    if not _is_callerlike(*item):
        return None
    caller = _caller_of(item[1])
    return caller if caller.get("arn") else None


def _is_callerlike(name: str, value: Any) -> bool:
    squashed = squash(name)
    return (
        any(word in squashed for word in _CALLER_WORDS)
        and not any(word in squashed for word in _NOT_CALLER_WORDS)
        and not _is_nothing(value)
        and not isinstance(value, bool)
    )
