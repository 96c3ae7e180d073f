"""Credits and money: the one place that multiplies, rounds and formats them.

Credits are `Decimal` with six places. Money is an `int` of minor units beside its lower-case ISO currency.
"""

from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, InvalidOperation

from billing.errors import InvalidAmount

CREDIT_PLACES = 6
CREDIT_STEP = Decimal(1).scaleb(-CREDIT_PLACES)
ZERO = Decimal(0)
MAX_CREDITS = Decimal(10) ** 13  # one movement; the column holds a thousand such
MINUS = "\u2212"

# https://docs.stripe.com/currencies (API 2026-10-28.endive); ISK and UGX are two-decimal there.
_ZERO_DECIMAL = frozenset("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split())
_THREE_DECIMAL = frozenset("bhd jod kwd omr tnd".split())
_SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}


def parse_credits(value: object, *, field: str = "amount") -> Decimal:
    """The amount of credits that a caller means: finite, at most six places, within `MAX_CREDITS`.

    Accepts `Decimal`, `int` and decimal strings; the sign is kept.

    Raises:
        InvalidAmount: anything else, with the field's name, the fault and what to send. Floats are refused, because
            they cannot say what was meant.
    """
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        raise InvalidAmount(
            field=field, fault=f"{type(value).__name__} is not a decimal string, an integer or a Decimal"
        )
    try:
        amount = Decimal(value)
    except InvalidOperation as error:
        raise InvalidAmount(field=field, fault=f"{str(value)[:40]!r} is not a number") from error
    if not amount.is_finite():
        raise InvalidAmount(field=field, fault=f"{amount} is not a finite number")
    if abs(amount) > MAX_CREDITS:
        raise InvalidAmount(field=field, fault=f"it is more than {MAX_CREDITS:,f} credits")
    exact = amount.quantize(CREDIT_STEP)
    if exact != amount:
        raise InvalidAmount(field=field, fault=f"{amount} has more than {CREDIT_PLACES} decimal places")
    return exact


def parse_positive_credits(value: object, *, field: str = "amount") -> Decimal:
    """Like `parse_credits`, and above zero.

    Raises:
        InvalidAmount: not an amount of credits, zero, or negative.
    """
    amount = parse_credits(value, field=field)
    if amount <= 0:
        raise InvalidAmount(field=field, fault=f"{amount.normalize():f} is not above zero")
    return amount


def round_credits_down(amount: Decimal) -> Decimal:
    """`amount` at six places, the rest cut off: what we give or leave is never more than what was paid for."""
    return amount.quantize(CREDIT_STEP, rounding=ROUND_DOWN)


def share_minor(*, amount_minor: int, part: Decimal | int, whole: Decimal | int) -> int:
    """`amount_minor` x `part` / `whole` in whole minor units, half to even; computed exactly, whatever the sizes."""
    numerator, denominator = amount_minor * _steps(part), _steps(whole)
    quotient, rest = divmod(numerator, denominator)
    return quotient + (2 * rest > denominator or (2 * rest == denominator and quotient % 2 == 1))


def share_minor_down(*, amount_minor: int, part: Decimal | int, whole: Decimal | int) -> int:
    """`amount_minor` x `part` / `whole` in whole minor units, the rest cut off; exact, whatever the sizes."""
    return amount_minor * _steps(part) // _steps(whole)


def share_credits_down(*, amount: Decimal, part: int, whole: int) -> Decimal:
    """`amount` x `part` / `whole` at six places, the rest cut off; computed exactly, whatever the sizes."""
    return Decimal(_steps(amount) * part // whole).scaleb(-CREDIT_PLACES)


def _steps(value: Decimal | int) -> int:
    """How many millionths a value is."""
    return int(value * 10**CREDIT_PLACES)


def credits_for_minor(*, amount_minor: int, currency: str, credits_per_usd: Decimal | int) -> Decimal:
    """Credits at list price for an amount of money, rounded down to six places. Only US dollars have a list price.

    Raises:
        InvalidAmount: another currency.
    """
    if currency != "usd":
        raise InvalidAmount(field="currency", fault=f"{currency!r} has no price in credits, send 'usd'")
    return round_credits_down(major_units(amount_minor=amount_minor, currency=currency) * credits_per_usd)


def list_value_minor(amount: Decimal, *, credits_per_usd: Decimal | int) -> int:
    """What credits are worth at list price, in US cents, rounded towards zero: a display, never a price."""
    return int((amount * 100 / credits_per_usd).to_integral_value(ROUND_DOWN))


def price_per_thousand_minor(*, price_minor: int, credits: Decimal) -> int:
    """What a thousand credits cost in an offer, in minor units, half up: for comparing offers, never for charging."""
    return int((Decimal(price_minor) * 1000 / credits).to_integral_value(ROUND_HALF_UP))


def exponent(currency: str) -> int:
    """How many decimal places Stripe gives the currency's minor unit: 0, 2 or 3."""
    code = currency.lower()
    if code in _ZERO_DECIMAL:
        return 0
    return 3 if code in _THREE_DECIMAL else 2


def major_units(*, amount_minor: int, currency: str) -> Decimal:
    """The amount as people say it: 1000 usd is Decimal("10.00"), 1000 jpy is Decimal("1000")."""
    return Decimal(amount_minor).scaleb(-exponent(currency))


def minor_units(*, amount: Decimal, currency: str) -> int:
    """Minor units of an amount in major units, half up.

    Raises:
        InvalidAmount: the amount has more places than the currency.
    """
    minor = amount.scaleb(exponent(currency))
    if minor != minor.to_integral_value(ROUND_HALF_UP):
        raise InvalidAmount(field="amount", fault=f"{currency.upper()} has {exponent(currency)} decimal places")
    return int(minor)


def format_money(*, amount_minor: int, currency: str) -> str:
    """Money for people: "$10.00", "−€0.50", "1,234.000 KWD"."""
    places = exponent(currency)
    digits = f"{abs(major_units(amount_minor=amount_minor, currency=currency)):,.{places}f}"
    sign = MINUS if amount_minor < 0 else ""
    symbol = _SYMBOLS.get(currency.lower())
    return f"{sign}{symbol}{digits}" if symbol else f"{sign}{digits} {currency.upper()}"


def format_credits(amount: Decimal, *, signed: bool = False) -> str:
    """Credits for people, exact: "1,000", "0.004", "−12.5"; with `signed` a plus before what came in."""
    exact = amount.quantize(CREDIT_STEP)
    digits = f"{abs(exact):,f}".rstrip("0").rstrip(".")
    if exact < 0:
        return f"{MINUS}{digits}"
    return f"+{digits}" if signed and exact > 0 else digits
