"""The worst case of a task, before it starts: unit prices times the largest quantity."""

from collections.abc import Mapping
from decimal import Decimal

from agent.calls import Task
from agent.world import TOOLS, USD_PER_1K_TOKENS, Tool

CALLS_PER_HOST = 4
CALLS_PER_TASK = 8
TOKENS_PER_CALL = 1500


def worst_case(task: Task, tools: Mapping[str, Tool] = TOOLS) -> Decimal:
    """Every host at the dearest price, every step with a long prompt, every one-off once."""
    model = USD_PER_1K_TOKENS * TOKENS_PER_CALL / 1000
    host = max(tool.usd for name, tool in tools.items() if name.startswith("host."))
    once = tools["worker.create"].usd + (tools["registry.register"].usd if task.register else Decimal(0))
    return task.expected_size * (host + CALLS_PER_HOST * model) + once + CALLS_PER_TASK * model
