"""The reference's own client, unmodified, as a program with a key uses it. What it gets is compared with the shapes that
the client itself describes, member by member. Prints the answers as JSON; a refusal as {"error": ..., "status": ...}."""

import json
import sys
import types
import typing

try:
    from ultralytics_platform import APIError, Platform
    from ultralytics_platform import types as shapes
except ModuleNotFoundError:
    sys.exit("this test needs ultralytics-platform, which is not here. Run: ./dev tools")

base_url = sys.argv[1]
key = sys.stdin.readline().strip()


def differences(value, shape, where):
    """Where `value` is not what `shape` describes."""
    origin, arguments = typing.get_origin(shape), typing.get_args(shape)
    if shape in (typing.Any, object):
        return []
    if origin in (typing.Required, typing.NotRequired):
        return differences(value, arguments[0], where)
    if origin is typing.Literal:
        return [] if value in arguments else [f"{where}: {value!r} is none of {arguments}"]
    if origin in (typing.Union, types.UnionType):
        tries = [differences(value, one, where) for one in arguments]
        return min(tries, key=len)
    if origin is list:
        if not isinstance(value, list):
            return [f"{where}: {value!r} is not a list"]
        return [fault for number, item in enumerate(value) for fault in differences(item, arguments[0], f"{where}[{number}]")]
    if origin is dict:
        return [] if isinstance(value, dict) else [f"{where}: {value!r} is not an object"]
    if typing.is_typeddict(shape):
        if not isinstance(value, dict):
            return [f"{where}: {value!r} is not an object"]
        hints = typing.get_type_hints(shape, include_extras=True)
        missing = [f"{where}.{name} is missing" for name in shape.__required_keys__ if name not in value]
        wrong = [
            fault for name, hint in hints.items() if name in value for fault in differences(value[name], hint, f"{where}.{name}")
        ]
        return missing + wrong
    if shape is float:
        return [] if isinstance(value, (int, float)) and not isinstance(value, bool) else [f"{where}: {value!r} is not a number"]
    if shape is int:
        return [] if isinstance(value, int) and not isinstance(value, bool) else [f"{where}: {value!r} is not whole"]
    if shape in (None, type(None)):
        return [] if value is None else [f"{where}: {value!r} is not null"]
    return [] if isinstance(value, shape) else [f"{where}: {value!r} is not {shape}"]


client = Platform(api_key=key, base_url=base_url, max_retries=0)
try:
    answers = {
        "summary": client.account.summary(),
        "api_keys": client.account.api_keys(),
        "transactions": client.billing.transactions(),
    }
except APIError as error:
    print(json.dumps({"error": error.json, "status": error.status_code}))
    sys.exit(0)

described = {
    "summary": shapes.AccountSummaryResponse,
    "api_keys": shapes.AccountApiKeysResponse,
    "transactions": shapes.BillingTransactionsResponse,
}
faults = [fault for name, shape in described.items() for fault in differences(answers[name], shape, name)]
if faults:
    sys.exit("the answers are not what the client describes:\n" + "\n".join(faults))
print(json.dumps(answers))
