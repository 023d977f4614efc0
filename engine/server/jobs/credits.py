"""Credits, where the operator has set a budget.

The estimated cost of a job is reserved before the job starts. Each executed step is charged; cached steps are free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.execution.estimates import Forecast
from engine.server.http.errors import ApiError
from engine.server.settings import SettingsError
from engine.storage.database import Database
from pipelines.base import Kind

PRICED_KINDS: Mapping[str, Kind] = {"scene_image": Kind.KEYFRAME, "scene_video": Kind.ANIMATE}
"""Priced kinds of steps by their names in ENGINE_CREDIT_COSTS."""


def parse_prices(costs: Sequence[str]) -> dict[Kind, int]:
    """Return the price of each kind from entries such as `scene_image=1`. Raises SettingsError."""
    prices: dict[Kind, int] = {}
    for cost in costs:
        name, _, price = cost.partition("=")
        if name.strip() not in PRICED_KINDS or not price.strip().isdecimal():
            raise SettingsError(
                f"credit_costs: {cost!r} is not one of {', '.join(PRICED_KINDS)} followed by = and an integer"
            )
        prices[PRICED_KINDS[name.strip()]] = int(price)
    return prices


class Credits:
    """The credits of every owner: `budget` in total; 0: no budget, and nothing is counted."""

    def __init__(self, database: Database, budget: int, costs: Mapping[Kind, int]) -> None:
        self._database, self._budget, self._costs = database, budget, costs

    @property
    def enabled(self) -> bool:
        """Return whether there is a budget."""
        return bool(self._budget)

    def cost(self, forecast: Forecast) -> int:
        """Return the cost of the steps that are not cached."""
        return sum(self._costs.get(row.step.kind, 0) for row in forecast.rows if not row.cached)

    def check_balance(self, owner: str, cost: int) -> None:
        """Raise ApiError 402 if `cost` exceeds the remaining credits of the owner."""
        remaining = max(0, self._budget - self._sum("owner", owner, "max(reserved, spent)"))
        if self.enabled and cost > remaining:
            raise ApiError(
                402,
                f"insufficient credits: {cost} needed, {remaining} remaining",
                details={"needed": cost, "remaining": remaining},
            )

    def reserve(self, connection: Any, job_id: int, owner: str, story_id: str, cost: int) -> None:
        """Reserve the cost of a job, in the transaction that enqueues it. Raises ApiError 402."""
        if self.enabled:
            self.check_balance(owner, cost)
            connection.execute(
                "INSERT INTO credits (job_id, owner, story_id, reserved, spent) VALUES (?, ?, ?, ?, 0)",
                (job_id, owner, story_id, cost),
            )

    def charge(self, job_id: int, kind: Kind) -> None:
        """Charge a job for an executed step of that kind."""
        if self.enabled and self._costs.get(kind):
            with self._database.transaction() as connection:
                connection.execute("UPDATE credits SET spent = spent + ? WHERE job_id = ?", (self._costs[kind], job_id))

    def settle(self, connection: Any, job_id: int) -> None:
        """Release the credits that a finished job reserved and did not spend."""
        connection.execute("UPDATE credits SET reserved = 0 WHERE job_id = ?", (job_id,))

    def spent_on(self, story_id: str) -> int:
        """Return the credits spent on a story."""
        return self._sum("story_id", story_id, "spent") if self.enabled else 0

    def _sum(self, column: str, value: str, expression: str) -> int:
        query = f"SELECT coalesce(sum({expression}), 0) AS n FROM credits WHERE {column} = ?"  # noqa: S608
        rows = self._database.query(query, value)
        return int(rows[0]["n"])
