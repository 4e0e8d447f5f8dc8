"""The service's release policy, evaluated from its documentation alone: a second opinion for tests, sharing nothing
with the product. verdict(policy, claims) is True, False, or None where the document is no policy."""
import decimal
import re

ORDERS = {
    "less": lambda a, b: a < b,
    "lessOrEquals": lambda a, b: a <= b,
    "greater": lambda a, b: a > b,
    "greaterOrEquals": lambda a, b: a >= b,
}
OPERATORS = {"equals", "notEquals", "exists", *ORDERS}
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")
ABSENT = object()


class NoPolicy(Exception):
    pass


def need(condition):
    if not condition:
        raise NoPolicy


def text_of(value):
    """How the vault stores and compares a value: as a string. None for what has no such form."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)):
        return repr(value)
    return None


def lookup(claims, path):
    """A claim by dot notation. Names may have dots of their own: the longest name that is there goes first."""
    if not isinstance(claims, dict):
        return ABSENT
    parts = path.split(".")
    for count in range(len(parts), 0, -1):
        name = ".".join(parts[:count])
        if name not in claims:
            continue
        found = claims[name] if count == len(parts) else lookup(claims[name], ".".join(parts[count:]))
        if found is not ABSENT:
            return found
    return ABSENT


def compare(operator, actual, wanted):
    if operator == "exists":
        return (actual is not ABSENT) == (wanted == "true")
    actual = None if actual is ABSENT else text_of(actual)
    if actual is None:
        return False
    if operator == "equals":
        return actual == wanted
    if operator == "notEquals":
        return actual != wanted
    if not (NUMBER.fullmatch(actual) and NUMBER.fullmatch(wanted)):
        return False
    return ORDERS[operator](decimal.Decimal(actual), decimal.Decimal(wanted))


def claim_holds(condition, claims):
    name, rest = condition["claim"], {key: value for key, value in condition.items() if key != "claim"}
    if set(rest) == {"condition", "value"}:
        operator, wanted = rest["condition"], rest["value"]
    else:
        need(len(rest) == 1)
        operator, wanted = next(iter(rest.items()))
    need(isinstance(name, str) and 0 < len(name.encode()) < 256)
    need(isinstance(operator, str) and operator in OPERATORS)
    wanted = text_of(wanted)
    need(wanted is not None)
    need(operator != "exists" or wanted in ("true", "false"))
    return compare(operator, lookup(claims, name), wanted)


def list_of(node, others):
    """The one list of a node, and whether any of it is enough."""
    names = [name for name in node if name in ("anyOf", "allOf", "anyof", "allof")]
    need(len(names) == 1 and set(node) == {*names, *others})
    members = node[names[0]]
    need(isinstance(members, list) and members)
    return members, names[0].lower() == "anyof"


def holds(condition, claims):
    need(isinstance(condition, dict))
    if "claim" in condition:
        return claim_holds(condition, claims)
    members, any_of = list_of(condition, ())
    verdicts = [holds(member, claims) for member in members]  # all of them: each has to be well formed
    return any(verdicts) if any_of else all(verdicts)


def without_slash(url):
    return url[:-1] if url.endswith("/") else url


def authority_holds(authority, claims):
    need(isinstance(authority, dict))
    url = authority.get("authority")
    need(isinstance(url, str) and url)
    members, any_of = list_of(authority, ("authority",))
    verdicts = [holds(member, claims) for member in members]
    issuer = claims.get("iss")
    same = isinstance(issuer, str) and without_slash(issuer) == without_slash(url) != ""
    return same and (any(verdicts) if any_of else all(verdicts))


def verdict(policy, claims):
    try:
        need(isinstance(policy, dict) and policy.get("version") in ("1.0.0", "1.0", "0.2"))
        members, any_of = list_of(policy, ("version",))
        need(any_of)
        return any([authority_holds(member, claims) for member in members])
    except NoPolicy:
        return None
