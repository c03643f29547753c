"""How often each loop of the daemon looks: every second or few after something has happened, else once in minutes.

Every loop of Dagster's waits between two looks. While a platform is idle such a wait goes on until something wakes it
or minutes are over, so nothing is lost for good where a wake never came. A wait of the second that follows a wake is
not cut short by the next one: thousands of drops that arrive one by one are one look a second.
"""

import time
from collections.abc import Mapping
from threading import Condition

#: Loops, by the names of Dagster's daemons.
SENSORS, AUTOMATION, BACKFILLS = "SENSOR", "ASSET", "BACKFILL"
QUICK_SECONDS, QUICK_FOR_SECONDS = 1.0, 20.0
#: To evaluate all conditions takes most of a second of a core, which a run that is about to start has more use for.
_QUICK: Mapping[str, float] = {AUTOMATION: 3.0}
#: So it waits until the run of a drop that has just arrived is requested, but not for the last of a stream of them.
AFTER_A_DROP_SECONDS, STREAM_SECONDS = 2.0, 10.0
IDLE_SECONDS = 60.0
#: All that conditions depend on wakes their evaluation, but for a cron tick; each costs half a second of CPU.
_IDLE: Mapping[str, float] = {AUTOMATION: 300.0}
#: To evaluate all conditions every second costs a tenth of a core, of which the run at work has more use. What is
#: requested for several partitions is a backfill, looked at once to start it and once to see that it ended: Dagster's
#: own 30 seconds would make minutes of a chain of them. The other loops keep Dagster's pace.
_WHILE_WORKING: Mapping[str, float] = {SENSORS: 5.0, AUTOMATION: 5.0, BACKFILLS: 2.0}


class Pace:
    """Shared by the loops, which wait, and by whatever notices that something happened."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._wakes = 0
        self._quick_until: dict[str, float] = {}
        self._all_quick_until = 0.0
        self._drop_at = float("-inf")
        self._is_working = True  # until it is known
        self._longest: dict[str, float] = {}
        self._is_over = False

    def wake(self, *loops: str) -> None:
        """End the long waits; these loops, or all where none is given, then look every second for a while."""
        with self._changed:
            until = time.monotonic() + QUICK_FOR_SECONDS
            if SENSORS in loops and time.monotonic() - self._drop_at > STREAM_SECONDS:
                self._drop_at = time.monotonic()
            if loops:
                self._quick_until |= dict.fromkeys(loops, until)
            else:
                self._all_quick_until = until
            self._release()

    def work(self, is_under_way: bool) -> None:
        """Whether runs or backfills are under way."""
        with self._changed:
            if is_under_way and not self._is_working:
                self._release()
            self._is_working = is_under_way

    def look_at_least(self, loop: str, every_seconds: float | None) -> None:
        """For where nothing else would say that something happened; None: as seldom as the others."""
        with self._changed:
            self._longest.pop(loop, None)
            if every_seconds is not None:
                self._longest[loop] = every_seconds
                self._release()

    def end(self) -> None:
        """Let every wait return from here on."""
        with self._changed:
            self._is_over = True
            self._release()

    def wait(self, loop: str, seconds: float) -> None:
        """Wait until the loop is to look again, where Dagster would wait for so many seconds."""
        began = time.monotonic()
        with self._changed:
            wakes, is_quick = self._wakes, began < max(self._quick_until.get(loop, 0.0), self._all_quick_until)
            while not self._is_over:
                is_woken = wakes != self._wakes and not is_quick
                due = began if is_woken else began + self._interval(loop, seconds, is_quick)
                if loop == AUTOMATION:
                    due = max(due, self._drop_at + AFTER_A_DROP_SECONDS)
                if (left := due - time.monotonic()) <= 0:
                    return
                self._changed.wait(left)

    def _interval(self, loop: str, seconds: float, is_quick: bool) -> float:
        if is_quick:
            return min(seconds, _QUICK.get(loop, QUICK_SECONDS))
        if self._is_working:
            return min(_WHILE_WORKING.get(loop, seconds), self._longest.get(loop, IDLE_SECONDS))
        return max(seconds, self._longest.get(loop, _IDLE.get(loop, IDLE_SECONDS)))

    def _release(self) -> None:
        self._wakes += 1
        self._changed.notify_all()
