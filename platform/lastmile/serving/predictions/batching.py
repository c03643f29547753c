"""Rows of requests that wait at the same time, run as one call of the model.

A call costs as much as dozens of rows do. So what requests of one turn of the event loop want is gathered, and run at
its end; while it runs, further requests gather for the next. Many rows of one request run in a thread instead, and
keep no other request waiting.
"""

import asyncio
from collections.abc import Callable, Sequence
from math import nan
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio.to_thread
import numpy as np
from numpy.typing import NDArray

from lastmile.learning.registry.onnx_session import MISSING, run
from lastmile.serving.predictions.schemas import Row

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

#: Rows of one call on the event loop, and of one request that goes with others.
_MOST_TOGETHER, _MOST_OF_ONE = 512, 64

Found = NDArray[np.float64]


class Given(NamedTuple):
    """Rows as a session is given them: a tuple for each, of its texts and of its numbers."""

    texts: list[tuple[str, ...]]
    numbers: list[tuple[float, ...]]


class Batch:
    """The rows that wait for one session. `observe` is called with the number of rows of each call."""

    def __init__(self, session: "InferenceSession", observe: Callable[[int], None]) -> None:
        self._session, self._observe = session, observe
        kinds = {one.name: one.type for one in session.get_inputs()}
        self._texts = [name for name, kind in kinds.items() if kind == "tensor(string)"]
        self._numbers = [name for name, kind in kinds.items() if kind != "tensor(string)"]
        self._waiting: list[tuple[Given, asyncio.Future[Found]]] = []
        self._few = anyio.CapacityLimiter(1)

    @property
    def names(self) -> list[str]:
        """Inputs that the session is given."""
        return [*self._texts, *self._numbers]

    def given(self, rows: Sequence[Row]) -> Given:
        """What is missing is a text of its own, or NaN."""
        return Given(
            [tuple([MISSING if (v := row[name]) is None else v for name in self._texts]) for row in rows],
            [tuple([nan if (v := row[name]) is None else v for name in self._numbers]) for row in rows],
        )

    async def run(self, rows: Sequence[Row]) -> Found:
        """A line for each row."""
        if len(rows) > _MOST_OF_ONE:
            return await anyio.to_thread.run_sync(lambda: self._run(self.given(rows)), limiter=self._few)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Found] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._run_together)
        self._waiting.append((self.given(rows), future))
        return await future

    def _run_together(self) -> None:
        together, count = [], 0
        while self._waiting and count < _MOST_TOGETHER:
            together.append(self._waiting.pop(0))
            count += len(together[-1][0].texts)
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._run_together)
        texts, numbers = [], []
        for given, _ in together:
            texts += given.texts
            numbers += given.numbers
        try:
            found = self._run(Given(texts, numbers))
        except Exception as error:
            for _, future in together:
                if not future.done():
                    future.set_exception(error)
            return
        start = 0
        for given, future in together:
            end = start + len(given.texts)
            if not future.done():  # its client may be gone
                future.set_result(found[start:end])
            start = end

    def _run(self, given: Given) -> Found:
        self._observe(len(given.texts))
        columns: dict[str, Any] = dict(zip(self._texts, np.array(given.texts, dtype=object).T, strict=True))
        numbers = np.ascontiguousarray(np.array(given.numbers, dtype=np.float64).T)
        columns.update(zip(self._numbers, numbers, strict=True))
        return run(self._session, columns)
