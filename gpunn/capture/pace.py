"""Pace: one thread or several, whichever is quicker now."""

TRIES = 3  # runs of each way that are compared
FIRST, LONGEST = 16, 1024  # runs until they are compared again, at first and at most
STALL = 1.5  # times what a run usually takes: something else has begun to run here


class Pace:
    """Chooses between one thread and several by how long runs took lately.

    Both ways are taken in turns a few times, then the quicker one for a while; a choice that is
    found again lasts longer. A run of several threads that takes too long has them compared soon.

    >>> pace = Pace()
    >>> for _ in range(40):
    ...     pace.took(2.0 if pace.several else 1.0)
    >>> pace.several
    False
    """

    def __init__(self):
        self.several = True  # the way of the next run
        self._chosen: bool | None = None
        self._pause = FIRST
        self._compare(warm_up=2)

    def _compare(self, warm_up: int = 0) -> None:
        self._left = 2 * TRIES + warm_up  # runs of the comparison
        self._seconds = {True: 0.0, False: 0.0}

    def took(self, seconds: float) -> None:
        """Note how long a run took, and choose how to do the next one."""
        if self._left:
            self._left -= 1
            if self._left < 2 * TRIES:
                self._seconds[self.several] += seconds
            self.several = not self.several
            if not self._left:
                self._choose()
            return
        self._rest -= 1
        stalls = self.several and seconds > STALL * self._usual
        if not self._rest or (stalls and self._rest <= self._pause - FIRST):
            self._compare()

    def _choose(self) -> None:
        several = self._seconds[True] < self._seconds[False]
        self._pause = min(2 * self._pause, LONGEST) if several == self._chosen else FIRST
        self.several = self._chosen = several
        self._usual = self._seconds[several] / TRIES
        self._rest = self._pause
