"""The job machine as a model in memory: rows that move atomically, hints that get lost, workers that misbehave.

Every rule that the real statements carry is a `Guard` that can be left out, to see that the walk notices.
"""

import random

from tests.model.parts import MAX_CRASHES, MAX_FAILURES, TERMINAL, Guard, Row, Task, Violation, Worker


class Machine:
    """The rows and everything around them; every public method is one step of the walk."""

    def __init__(self, chance: random.Random, without: frozenset[Guard] = frozenset()) -> None:
        self._chance = chance
        self._without = without
        self.rows: list[Row] = []
        self.keys: dict[int, Row] = {}
        self.slots: dict[int, Row] = {}
        self.hints: list[Row] = []
        self.workers = [Worker(), Worker()]
        self._clock = 0
        self._claims = 0
        self._was_emptied = False

    # What clients and schedules do.

    def submit(self) -> None:
        key = self._chance.randrange(6)
        row = self.keys.get(key)
        if row is None or Guard.UNIQUE_KEY in self._without:
            if row is not None:
                raise Violation("two jobs for one key")
            row = self.keys[key] = self._insert()
        row.is_accepted |= self._chance.random() < 0.8

    def fire(self) -> None:
        slot = self._clock - self._chance.randrange(2)
        self._clock += self._chance.random() < 0.3
        if slot in self.slots:
            if Guard.UNIQUE_SLOT in self._without:
                raise Violation("a slot fired twice")
            return
        row = self.slots[slot] = self._insert()
        row.is_accepted = True

    def cancel(self) -> None:
        row = self._pick(self.rows)
        if row is None or row.status in TERMINAL:
            return
        if row.status == "queued":
            self._end(row, "cancelled")
        row.is_cancelling = True
        row.cancel_was_answered = True

    def retry(self) -> None:
        row = self._pick(self.rows)
        if row is not None and row.status in ("failed", "cancelled"):
            row.status, row.failures, row.crashes = "queued", 0, 0
            row.is_cancelling = row.cancel_was_answered = False
            self._publish(row)

    # What workers do.

    def take_hint(self) -> None:
        worker, row = self._pick(self.workers), self._pick(self.hints)
        if worker is None or row is None or not worker.acts:
            return
        if self._chance.random() < 0.8:
            self.hints.remove(row)
        self._claim(worker, row)

    def poll(self) -> None:
        worker, row = self._pick(self.workers), self._pick(self.rows)
        if worker and row and worker.acts and row.status == "queued" and Guard.POLL not in self._without:
            self._claim(worker, row)

    def finish(self) -> None:
        worker = self._pick(self.workers)
        task = self._pick(worker.tasks) if worker is not None and worker.acts else None
        if worker is None or task is None:
            return
        self._finish(task, self._chance.choice(("succeeded", "succeeded", "queued", "failed")))
        if self._chance.random() < 0.8:  # else the answer is lost, and the worker writes the end again
            worker.tasks.remove(task)

    def drain(self) -> None:
        """Hand a job back; its task may live on all the same."""
        worker = self._pick(self.workers)
        task = self._pick(worker.tasks) if worker is not None and worker.acts else None
        if worker is None or task is None:
            return
        if self._may_end(task) and not task.row.is_cancelling:
            self._release(task.row)
            if Guard.MONOTONIC in self._without:
                task.row.attempt -= 1
        if self._chance.random() < 0.5:
            worker.tasks.remove(task)

    def hand_back(self) -> None:
        worker = self._pick(self.workers)
        if worker is not None and worker.acts:
            self._hand_back(worker)

    # What befalls workers and Redis.

    def pause(self) -> None:
        self._of_worker().is_paused = True

    def resume(self) -> None:
        self._of_worker().is_paused = False

    def kill(self) -> None:
        self._of_worker().is_alive = False

    def replace(self) -> None:
        if len(self.workers) < 4:
            self.workers.append(Worker())

    def lose_lease(self) -> None:
        worker = self._of_worker()
        worker.has_lease &= worker.acts

    def empty_redis(self) -> None:
        self.hints.clear()
        self._was_emptied = True

    def repeat_hint(self) -> None:
        row = self._pick(self.rows)
        if row is not None:
            self.hints.append(row)

    def lose_hint(self) -> None:
        if self.hints:
            self.hints.pop(self._chance.randrange(len(self.hints)))

    # What the reconciler does.

    def reap(self) -> None:
        row = self._pick(self.rows)
        if row is not None:
            self._reap(row)

    def dispatch(self) -> None:
        row = self._pick(self.rows)
        if row is not None and row.status == "queued" and Guard.TIMER not in self._without:
            self._publish(row)

    def check_epoch(self) -> None:
        if self._was_emptied and Guard.EPOCH not in self._without:
            self._was_emptied = False
            for row in self.rows:
                if row.status == "queued":
                    self._publish(row)

    def heal(self) -> None:
        """No more faults: from here on every accepted job has to end."""
        self._chance = random.Random(0)
        for worker in self.workers:
            worker.is_paused = False
            worker.has_lease &= worker.is_alive
            worker.tasks = [] if not worker.has_lease else worker.tasks
        fresh = Worker()
        self.workers.append(fresh)
        for _ in range(2 * MAX_CRASHES + 2):
            for worker in self.workers:
                self._hand_back(worker)
            for row in self.rows:
                self._reap(row)
                if row.status == "queued" and Guard.TIMER not in self._without:
                    self._publish(row)
            self.check_epoch()
            waiting = [] if Guard.POLL in self._without else [row for row in self.rows if row.status == "queued"]
            for row in [*self.hints, *waiting]:
                self._claim(fresh, row, answer_arrives=True)
            self.hints.clear()
            for worker in self.workers:
                for task in worker.tasks:
                    self._finish(task, "succeeded")
                worker.tasks.clear()
        if any(row.is_accepted and row.status not in TERMINAL for row in self.rows):
            raise Violation("an accepted job never ended")

    # The statements.

    def _insert(self) -> Row:
        self.rows.append(row := Row())
        if self._chance.random() < 0.7:  # else the process dies before it publishes
            self.hints.append(row)
        return row

    def _claim(self, worker: Worker, row: Row, *, answer_arrives: bool = False) -> None:
        if not worker.has_lease:
            return
        if Guard.CLAIM not in self._without and (row.status != "queued" or row.is_cancelling):
            return
        if row.cancel_was_answered:
            raise Violation("a job started after its cancel was answered")
        if row.status in TERMINAL:
            raise Violation("a job started after its end")
        self._claims += 1
        row.status, row.lease, row.holder = "running", worker, self._claims
        row.attempt += 1
        if answer_arrives or self._chance.random() < 0.9:
            worker.tasks.append(Task(row, row.attempt, self._claims))

    def _may_end(self, task: Task) -> bool:
        if task.row.status != "running":
            return False
        is_accepted = Guard.FENCE in self._without or task.row.attempt == task.attempt
        if is_accepted and task.row.holder != task.claim:
            raise Violation("an outdated attempt wrote the end")
        return is_accepted

    def _finish(self, task: Task, status: str) -> None:
        row = task.row
        if not self._may_end(task):
            return
        if row.is_cancelling and Guard.CANCEL_IN_FINISH not in self._without:
            status = "cancelled"
        if status == "queued":
            row.failures += 1
            if row.failures < MAX_FAILURES:
                self._release(row)
                return
            status = "failed"
        self._end(row, status)

    def _reap(self, row: Row) -> None:
        if row.status != "running" or row.lease is None or row.lease.has_lease or Guard.REAPER in self._without:
            return
        row.crashes += 1
        if row.is_cancelling and Guard.CANCEL_IN_REAPER not in self._without:
            self._end(row, "cancelled")
        elif row.crashes >= MAX_CRASHES:
            self._end(row, "failed")
        else:
            self._release(row)

    def _hand_back(self, worker: Worker) -> None:
        if not worker.has_lease or Guard.HAND_BACK in self._without:
            return
        known = {id(task.row) for task in worker.tasks}
        for row in self.rows:
            if row.status == "running" and row.lease is worker and id(row) not in known:
                if row.is_cancelling:
                    self._end(row, "cancelled")
                else:
                    self._release(row)

    def _release(self, row: Row) -> None:
        row.status, row.lease, row.holder = "queued", None, 0
        self._publish(row)

    def _end(self, row: Row, status: str) -> None:
        if status == "succeeded" and row.cancel_was_answered:
            raise Violation("a job succeeded after its cancel was answered")
        row.status, row.lease, row.holder = status, None, 0

    def _publish(self, row: Row) -> None:
        self.hints.append(row)

    def _of_worker(self) -> Worker:
        return self._chance.choice(self.workers)

    def _pick[T](self, items: list[T]) -> T | None:
        return items[int(self._chance.random() * len(items))] if items else None
