"""Parse EQL text into the syntax tree."""

from __future__ import annotations

from collections.abc import Sequence

from detector.eql.condition_parser import ConditionParser
from detector.eql.cursor import TokenCursor
from detector.esql import ast
from detector.esql.errors import EsqlError, Span, too_deep

_INDEX = ("logs-aws.cloudtrail-*",)
_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_MOST_RUNS = 100


def parse_eql(text: str, category_field: str = "event.category") -> ast.Tree:
    """Parse a query; ``category_field`` holds the category of an event.

    Raises EsqlError at the first position that is not EQL supported by trailhound."""
    try:
        return _Parser(text, category_field).query()
    except RecursionError:
        raise too_deep() from None


class _Parser:
    """A recursive-descent parser for one query."""

    def __init__(self, text: str, category_field: str) -> None:
        self._tokens = TokenCursor(text)
        self._conditions = ConditionParser(self._tokens)
        self._category_field = category_field

    def query(self) -> ast.Tree:
        start = self._tokens.next.span
        command: ast.Command
        if self._tokens.is_at("join"):
            raise EsqlError(start, "join is not supported: write a sequence, or a sample")
        if self._tokens.is_at("sequence"):
            command = self._sequence()
        elif self._tokens.is_at("sample"):
            command = self._sample()
        else:
            command = ast.Where(self._event_filter(), span=start)
        if self._tokens.is_at("|"):
            raise self._pipe_refusal()
        if self._tokens.next.kind != "end":
            raise self._tokens.unexpected("and, or, or the end of the query")
        return ast.Tree((ast.From(_INDEX, (), span=start), command), span=start)

    def _pipe_refusal(self) -> EsqlError:
        sign = self._tokens.take()
        name = self._tokens.take().text
        return EsqlError(
            sign.span,
            f"the pipe {name} is not supported: which events it leaves depends on when the rule "
            "runs; leave it out",
        )

    def _event_filter(self) -> ast.Expression:
        """Parse ``category where condition``."""
        token = self._tokens.take()
        if token.kind not in ("name", "string", "quoted-name"):
            self._tokens.back(token)
            raise self._tokens.unexpected("a category of events, or any, and then where")
        if not self._tokens.is_at("where"):
            raise self._tokens.unexpected("where")
        self._tokens.take()
        condition = self._conditions.condition()
        if token.kind == "name" and token.text == "any":
            return condition
        column = ast.Column(self._category_field, span=token.span)
        category = ast.FieldMatch(column, ":", token.text, span=token.span)
        return ast.Logic("and", (category, condition), span=token.span)

    def _sequence(self) -> ast.Sequence:
        start = self._tokens.take().span
        shared = self._join_keys()
        width = self._maxspan()
        if self._tokens.is_at("by"):
            raise EsqlError(self._tokens.next.span, "by must stand before with maxspan")
        steps: list[ast.Step] = []
        order: list[int] = []
        missing: list[tuple[int, int]] = []
        while self._tokens.is_at("[", "!"):
            mark = self._tokens.accept("!")
            step, runs = self._step(shared)
            if step not in steps:
                steps.append(step)
            if mark is None:
                order += [steps.index(step)] * runs
                continue
            self._check_missing(mark.span, order, runs, width)
            missing.append((len(order), steps.index(step)))
        if len(order) < 2:
            raise self._tokens.unexpected(
                "[ and the next event of the sequence: it has at least two"
            )
        until = None
        if self._tokens.accept("until"):
            step, _ = self._step(shared)
            if step in steps:
                raise EsqlError(step.span, "until must differ from the events of the sequence")
            until = len(steps)
            steps.append(step)
        parts = tuple(steps), tuple(order), until, _names(steps[0]), width
        if not missing:
            return ast.Sequence(*parts, span=start)
        return ast.GappedSequence(*parts, missing=tuple(missing), span=start)

    def _check_missing(
        self, mark: Span, before: Sequence[int], runs: int, width: int | None
    ) -> None:
        """Raise EsqlError for a missing event (``![…]``) whose absence cannot be determined."""
        if runs > 1:
            raise EsqlError(mark, "a missing event has no runs")
        if width is None:
            raise EsqlError(mark, "a missing event (![…]) needs with maxspan after sequence")
        if not before or not self._tokens.is_at("[", "!"):
            raise EsqlError(
                mark,
                "a missing event (![…]) is supported between two events only: before the first or "
                "after the last one it may only not have arrived",
            )

    def _sample(self) -> ast.Sequence:
        """Parse ``sample by field [category where condition] …``; its events have no order."""
        start = self._tokens.take().span
        shared = self._join_keys()
        steps: list[ast.Step] = []
        order: list[int] = []
        while self._tokens.is_at("["):
            span = self._tokens.next.span
            step, runs = self._step(shared)
            if runs > 1:
                raise EsqlError(span, "an event of a sample has no runs: write it several times")
            if step not in steps:
                steps.append(step)
            order.append(steps.index(step))
        if len(order) < 2:
            raise self._tokens.unexpected("[ and the next event of the sample: it has at least two")
        if not steps[0].by:
            raise EsqlError(start, "a sample needs by and a field that its events share")
        return ast.Sequence(
            tuple(steps), tuple(order), None, _names(steps[0]), None, ordered=False, span=start
        )

    def _maxspan(self) -> int | None:
        """Parse ``with maxspan=30s``; return the exclusive limit in whole seconds (31), or None.

        The last event may follow the first by exactly the maxspan."""
        if not self._tokens.accept("with"):
            return None
        self._tokens.expect("maxspan", "maxspan=")
        self._tokens.expect("=", "=, as in maxspan=30s")
        number = self._tokens.take()
        unit = self._tokens.next
        if number.kind != "number" or unit.text not in _MILLISECONDS:
            raise EsqlError(
                self._tokens.span_from(number.span),
                "write a maxspan like 30s, 15m, 2h or 1d, or 500ms",
            )
        self._tokens.take()
        milliseconds = float(number.text) * _MILLISECONDS[unit.text]
        if milliseconds <= 0:
            raise EsqlError(number.span, "a maxspan must be more than 0")
        return int(milliseconds // 1000) + 1

    def _step(self, shared: tuple[ast.Column, ...]) -> tuple[ast.Step, int]:
        """Parse ``[category where condition] by field with runs=3``; return the step and runs."""
        span = self._tokens.expect("[").span
        condition = self._event_filter()
        self._tokens.expect("]", "and, or, or ]")
        if self._tokens.is_at("fork"):
            raise EsqlError(self._tokens.next.span, "fork is not supported: leave it out")
        keys = (*shared, *self._join_keys())
        runs = self._runs()
        # A join key without ``?`` must have a value.
        required = tuple(
            ast.FieldMatch(key, "exists", "", span=key.span)
            for key in keys
            if not isinstance(key, ast.OptionalColumn)
        )
        if required:
            condition = ast.Logic("and", (condition, *required), span=span)
        return ast.Step(condition, keys, span=span), runs

    def _runs(self) -> int:
        if not self._tokens.is_at("with"):
            return 1
        self._tokens.take()
        self._tokens.expect("runs", "runs=")
        self._tokens.expect("=", "=, as in runs=3")
        token = self._tokens.take()
        if not token.text.isdecimal() or not 1 <= int(token.text) <= _MOST_RUNS:
            raise EsqlError(token.span, f"runs is a whole number from 1 to {_MOST_RUNS}")
        return int(token.text)

    def _join_keys(self) -> tuple[ast.Column, ...]:
        """Parse ``by field, ?field``; return an empty tuple if there is no ``by``."""
        if not self._tokens.accept("by"):
            return ()
        keys = [self._join_key()]
        while self._tokens.accept(","):
            keys.append(self._join_key())
        return tuple(keys)

    def _join_key(self) -> ast.Column:
        start = self._tokens.next.span
        key = self._conditions.primary()
        if not isinstance(key, ast.Column):
            raise EsqlError(self._tokens.span_from(start), "by takes names of fields only")
        return key


def _names(step: ast.Step) -> tuple[str, ...]:
    return tuple(key.name for key in step.by if isinstance(key, ast.Column))
