"""What may be spent, where the operator has set a budget: what work will cost is put aside before it begins, and what it really made is
counted; what was recalled costs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.execution.estimates import Forecast
from engine.server.http.errors import ApiError
from engine.server.settings import SettingsError
from engine.storage.database import Jobs
from pipelines.base import Kind

SCHEMA = """
CREATE TABLE IF NOT EXISTS credits (
    work INTEGER PRIMARY KEY, owner TEXT NOT NULL, story TEXT NOT NULL, aside INTEGER NOT NULL, spent INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS credits_of_owner ON credits (owner);
CREATE INDEX IF NOT EXISTS credits_of_story ON credits (story)
"""
KINDS: Mapping[str, Kind] = {"scene_image": Kind.KEYFRAME, "scene_video": Kind.ANIMATE}
"""What has a price."""


def prices(costs: Sequence[str]) -> dict[Kind, int]:
    """`scene_image=1` … → the price of a step of each kind. Raises SettingsError."""
    found: dict[Kind, int] = {}
    for cost in costs:
        name, _, price = cost.partition("=")
        if name.strip() not in KINDS or not price.strip().isdecimal():
            raise SettingsError(f"credit_costs: {cost!r} is not one of {', '.join(KINDS)} with a whole number behind =")
        found[KINDS[name.strip()]] = int(price)
    return found


class Credits:
    """The budget of every owner: `budget` in all; 0: there is none, and nothing is counted."""

    def __init__(self, jobs: Jobs, budget: int, costs: Mapping[Kind, int]) -> None:
        self._jobs, self._budget, self._costs = jobs, budget, costs
        jobs.prepare(SCHEMA)

    @property
    def are_counted(self) -> bool:
        """Whether there is a budget."""
        return bool(self._budget)

    def cost(self, forecast: Forecast) -> int:
        """What the steps cost that are still to be done."""
        return sum(self._costs.get(row.step.kind, 0) for row in forecast.rows if not row.cached)

    def check(self, owner: str, cost: int) -> None:
        """Whether the owner has so much left. Raises ApiError 402."""
        left = self._budget - self._sum("owner", owner, "max(aside, spent)")
        if self.are_counted and cost > max(left, 0):
            raise ApiError(
                402, f"this needs {cost} credits, and {max(left, 0)} are left",
                details={"needed": cost, "left": max(left, 0)},
            )  # fmt: skip

    def put_aside(self, connection: Any, work: int, owner: str, story: str, cost: int) -> None:
        """Keep what the work will cost, in the transaction that begins it. Raises ApiError 402."""
        if self.are_counted:
            self.check(owner, cost)
            connection.execute("INSERT INTO credits VALUES (?, ?, ?, ?, 0)", (work, owner, story, cost))

    def made(self, work: int, kind: Kind) -> None:
        """A step of that kind was done, and not recalled."""
        if self.are_counted and self._costs.get(kind):
            with self._jobs.writing() as connection:
                connection.execute("UPDATE credits SET spent = spent + ? WHERE work = ?", (self._costs[kind], work))

    def settle(self, connection: Any, work: int) -> None:
        """The work has ended: what it did not spend is free again."""
        connection.execute("UPDATE credits SET aside = 0 WHERE work = ?", (work,))

    def used(self, story: str) -> int:
        """What was spent on a story."""
        return self._sum("story", story, "spent") if self.are_counted else 0

    def _sum(self, column: str, value: str, what: str) -> int:
        rows = self._jobs.read(f"SELECT coalesce(sum({what}), 0) AS n FROM credits WHERE {column} = ?", value)  # noqa: S608
        return int(rows[0]["n"])
