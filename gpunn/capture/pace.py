"""Pace: one thread or several, whichever is quicker now."""

TRIES = 5  # runs of each way that are compared, after one that does not count
FIRST, LONGEST = 16, 1024  # runs until the ways are compared again, at first and at most
STALL = 1.5  # if runs take so many times what is usual, something else has begun to use the cores
LATELY = 16  # runs, about, whose mean is looked at: a single run may wait for something brief


class Pace:
    """Chooses between one thread and several by how long runs took lately.

    Each way is taken a few times in a row, as it will be when it is chosen: a core that was idle
    for a run has to wake up, and to read again what another one has changed. Then the quicker one
    is taken for a while; a choice that is found again lasts longer. If runs of several threads
    take too long for a time, the ways are compared soon.

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
        self._compare()

    def _compare(self) -> None:
        self._rest = 0  # runs until the next comparison; none during one
        self._seconds: dict[bool, list[float]] = {True: [], False: []}

    def took(self, seconds: float) -> None:
        """Note how long a run took, and choose how to do the next one."""
        if not self._rest:
            self._seconds[self.several].append(seconds)
            if len(self._seconds[self.several]) > TRIES:
                self.several = not self.several
                if self._seconds[self.several]:
                    self._choose()
            return
        self._rest -= 1
        self._mean += (seconds - self._mean) / LATELY
        stalls = self.several and self._mean > STALL * self._usual
        if not self._rest or (stalls and self._rest <= self._pause - FIRST):
            self._compare()

    def _choose(self) -> None:
        # the last but one: a run that was disturbed does not count, unless it often happens
        usual = {way: sorted(times[1:])[-2] for way, times in self._seconds.items()}
        several = usual[True] < usual[False]
        self._pause = min(2 * self._pause, LONGEST) if several == self._chosen else FIRST
        self.several = self._chosen = several
        self._usual = self._mean = usual[several]
        self._rest = self._pause
