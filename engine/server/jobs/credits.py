"""What may be spent, where the operator has set a budget: what work will cost is put aside before it begins, and what it really made is
counted; what was recalled costs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.execution.estimates import Forecast
from engine.server.http.errors import ApiError
from engine.server.settings import SettingsError
from engine.storage.database import Database
from pipelines.base import Kind

SCHEMA = """
CREATE TABLE IF NOT EXISTS credits (
    work INTEGER PRIMARY KEY, owner TEXT NOT NULL, story TEXT NOT NULL, aside INTEGER NOT NULL, spent INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS credits_of_owner ON credits (owner);
CREATE INDEX IF NOT EXISTS credits_of_story ON credits (story)
"""
PRICED_KINDS: Mapping[str, Kind] = {"scene_image": Kind.KEYFRAME, "scene_video": Kind.ANIMATE}
"""What has a price."""


def parse_prices(costs: Sequence[str]) -> dict[Kind, int]:
    """`scene_image=1` … → the price of a step of each kind. Raises SettingsError."""
    prices: dict[Kind, int] = {}
    for cost in costs:
        name, _, price = cost.partition("=")
        if name.strip() not in PRICED_KINDS or not price.strip().isdecimal():
            raise SettingsError(
                f"credit_costs: {cost!r} is not one of {', '.join(PRICED_KINDS)} with a whole number behind ="
            )
        prices[PRICED_KINDS[name.strip()]] = int(price)
    return prices


class Credits:
    """The budget of every owner: `budget` in all; 0: there is none, and nothing is counted."""

    def __init__(self, database: Database, budget: int, costs: Mapping[Kind, int]) -> None:
        self._database, self._budget, self._costs = database, budget, costs
        database.create_tables(SCHEMA)

    @property
    def enabled(self) -> bool:
        """Whether there is a budget."""
        return bool(self._budget)

    def cost(self, forecast: Forecast) -> int:
        """What the steps cost that are still to be done."""
        return sum(self._costs.get(row.step.kind, 0) for row in forecast.rows if not row.cached)

    def check_balance(self, owner: str, cost: int) -> None:
        """Whether the owner has so much left. Raises ApiError 402."""
        remaining = self._budget - self._sum("owner", owner, "max(aside, spent)")
        if self.enabled and cost > max(remaining, 0):
            raise ApiError(
                402, f"this needs {cost} credits, and {max(remaining, 0)} are left",
                details={"needed": cost, "left": max(remaining, 0)},
            )  # fmt: skip

    def reserve(self, connection: Any, job_id: int, owner: str, story_id: str, cost: int) -> None:
        """Keep what the work will cost, in the transaction that begins it. Raises ApiError 402."""
        if self.enabled:
            self.check_balance(owner, cost)
            connection.execute("INSERT INTO credits VALUES (?, ?, ?, ?, 0)", (job_id, owner, story_id, cost))

    def charge(self, job_id: int, kind: Kind) -> None:
        """A step of that kind was done, and not recalled."""
        if self.enabled and self._costs.get(kind):
            with self._database.transaction() as connection:
                connection.execute("UPDATE credits SET spent = spent + ? WHERE work = ?", (self._costs[kind], job_id))

    def settle(self, connection: Any, job_id: int) -> None:
        """The work has ended: what it did not spend is free again."""
        connection.execute("UPDATE credits SET aside = 0 WHERE work = ?", (job_id,))

    def spent_on(self, story_id: str) -> int:
        """What was spent on a story."""
        return self._sum("story", story_id, "spent") if self.enabled else 0

    def _sum(self, column: str, value: str, expression: str) -> int:
        query = f"SELECT coalesce(sum({expression}), 0) AS n FROM credits WHERE {column} = ?"  # noqa: S608
        rows = self._database.query(query, value)
        return int(rows[0]["n"])
