"""What a call of a model cost, computed from its tokens where a log states no cost.

The prices are those that the package genai-prices brings along (checked with 0.2.3, November 2026): list prices in USD,
with the dates on which they changed. The package can also fetch newer ones; nothing here asks it to, and without that
it opens no connection. It is an extra, `psf-audit[prices]`, since it brings an HTTP client with it, and it is imported
when the first cost is computed.

A computed cost is an estimate: it knows no discount, no surcharge and no service tier. It is None, which is unknown and
never 0, wherever the estimate could only be a guess: no time (prices change, and the day of the audit is not the day of
the call), tokens of one direction not recorded, a model or a provider that the table does not know, or tokens of a
direction for which it has no price. A price of 0 is taken for none: tables write it for models that are billed
otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from psf_audit.facts.model import Gap, Item, Remark
from psf_audit.text import plural
from psf_audit.values import amount

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

EXTRA = "psf-audit[prices]"
_MAX_NAME_CHARACTERS = 200
# genai-prices keeps every name that it was asked about: a hostile log must not fill the memory with names.
MOST_NAMES = 1000
_INEXACT = -1


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of one call: all that were read and written; those from and into a cache are among `read`."""

    read: int
    written: int
    from_cache: int = 0
    to_cache: int = 0


def price_table() -> str | None:
    """The name and version of the price table; None where it is not installed."""
    package = _package()
    return None if package is None else f"genai-prices {package.__version__}"


_PROBES = (Tokens(0, 0), Tokens(1, 0), Tokens(0, 1))


@dataclass(frozen=True, slots=True)
class Rates:
    """What each token of a call costs, in billionths of a dollar for a million tokens; None where there is no price.

    It holds for calls without tokens from or into a cache that read at most so many tokens.
    """

    read: int | None
    written: int | None
    most_read: int


NO_RATES = Rates(None, None, 0)


def computed_cost(
    model: str, tokens: Tokens, at_ms: int | None, *, provider: str | None = None
) -> tuple[Decimal, str] | None:
    """What a call cost in USD, and the price table that says so; None where that is not known.

    `provider` is who served the model, if the log names it; the name of a model may start with it (`mistral/small`).
    """
    table = price_table()
    if table is None or at_ms is None or len(model) > _MAX_NAME_CHARACTERS:
        return None
    try:
        price = _price(model, tokens, at_ms, provider)
    except (LookupError, ValueError):
        return None
    if not _covers(price.model_price, tokens):
        return None
    cost = amount(price.total_price)
    return (cost, table) if cost else None


def rates(model: str, at_ms: int, *, provider: str | None = None) -> Rates | None:
    """The rates of a model on the UTC day of a time: `computed_cost` multiplies tokens with them and rounds to 1e-9.

    None where the price is no plain rate, so that each call has to be asked about: it changes within a day, there is a
    charge for each call, or it has more digits. `NO_RATES` where no call of it has a price.
    """
    if price_table() is None or len(model) > _MAX_NAME_CHARACTERS:
        return NO_RATES
    try:
        none, read, written = (_price(model, tokens, at_ms, provider) for tokens in _PROBES)
    except LookupError:
        return NO_RATES
    except ValueError:
        return None
    listed = read.model.prices
    if isinstance(listed, list) and any(hasattr(one.constraint, "start_time") for one in listed):
        return None
    prices = vars(read.model_price).values()
    starts = [tier.start for price in prices for tier in getattr(price, "tiers", ())]
    found = [
        _scaled(price.total_price) if _covers(price.model_price, tokens) else None
        for price, tokens in zip((read, written), _PROBES[1:], strict=True)
    ]
    if none.total_price or _INEXACT in found or min(starts, default=1) < 1:
        return None
    return Rates(found[0], found[1], min(starts, default=2**62))


def _scaled(price: Decimal) -> int:
    """The price of one token in billionths of a dollar for a million; `_INEXACT` where that is no whole number."""
    scaled = price.scaleb(15)
    return int(scaled) if scaled == scaled.to_integral_value() and price < 1 else _INEXACT


def _price(model: str, tokens: Tokens, at_ms: int, provider: str | None) -> Any:
    """The price calculation of the package, which has to be there.

    Raises:
        LookupError: it does not know the model or the provider.
        ValueError: it cannot price such tokens.
    """
    package: Any = _package()
    usage = {
        "input_tokens": tokens.read,
        "output_tokens": tokens.written,
        "cache_read_tokens": tokens.from_cache,
        "cache_write_tokens": tokens.to_cache,
    }
    if provider is None and "/" in model:
        provider = "litellm"  # what genai-prices calls a name of which the first part may be the provider
    return package.calc_price(
        package.Usage(**{name: count for name, count in usage.items() if count}),
        model,
        provider_id=provider,
        genai_request_timestamp=datetime.fromtimestamp(at_ms / 1000, UTC),
    )


def _covers(prices: Any, tokens: Tokens) -> bool:
    """Whether there is a price for each direction in which tokens went: what has none is left out of the sum."""
    read = prices.input_mtok is not None or not tokens.read
    return read and (prices.output_mtok is not None or not tokens.written)


@cache
def _package() -> ModuleType | None:
    try:
        import genai_prices
    except ImportError:
        return None
    return genai_prices


class Pricing:
    """The costs of the calls of models in one file, and what has to be said of them."""

    def __init__(self) -> None:
        """Start with no call."""
        self._names: set[tuple[str, str | None]] = set()
        self._stated = self._computed = self._unknown = 0

    def fill(
        self, values: dict[str, Any], *, provider: str | None = None, from_cache: int = 0, to_cache: int = 0
    ) -> None:
        """Give the event of a call of a model its computed cost, if it states none and has its tokens.

        `tokens_in` of the event are all tokens read, those from and into the cache among them.
        """
        if values.get("cost_usd") is not None:
            self._stated += 1
            return
        read, written, model = values.get("tokens_in"), values.get("tokens_out"), values.get("name")
        if read is None or written is None:
            return
        found = None
        if isinstance(model, str) and self._may_ask((model, provider)):
            tokens = Tokens(read, written, from_cache, to_cache)
            found = computed_cost(model, tokens, values.get("at_ms"), provider=provider)
        if found is None:
            self._unknown += 1
            return
        self._computed += 1
        values["cost_usd"], values["priced_by"] = found

    def count(self, *, stated: int, computed: int, unknown: int) -> None:
        """Take calls into account whose costs were found elsewhere: stated, computed with `rates`, or not known."""
        self._stated += stated
        self._computed += computed
        self._unknown += unknown

    def items(self) -> Iterator[Item]:
        """How many costs are computed, and with what; that of other calls is unknown."""
        table = price_table()
        if self._computed:
            calls = plural(self._computed, "call")
            yield Remark(f"the cost of {calls} is computed from tokens with {table}: list prices, not what was billed")
        if not self._unknown:
            return
        calls = plural(self._unknown, "call")
        if table is None:
            what = f"the cost of {calls} is unknown: {EXTRA} would compute it from their tokens"
        else:
            what = (
                f"the cost of {calls} is unknown: {table} has no price for the model, provider or time that they name"
            )
        if self._stated or self._computed:
            yield Gap("lossy", what, "events.cost_usd")
        else:
            yield Remark(what)

    def _may_ask(self, name: tuple[str, str | None]) -> bool:
        if len(self._names) < MOST_NAMES:
            self._names.add(name)
        return name in self._names
