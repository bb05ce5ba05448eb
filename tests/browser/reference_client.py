"""The reference's own client, unmodified, as a program with a key uses it: once in order and once asynchronously, which must
come to the same. What it gets is compared with the shapes that the client itself describes, member by member. Prints the
answers as JSON; a refusal stands in place of the answer as {"error": ..., "status": ...}."""

import asyncio
import json
import sys
import types
import typing

try:
    from ultralytics_platform import APIError, AsyncPlatform, Platform
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


CALLS = {
    "summary": (shapes.AccountSummaryResponse, lambda client: client.account.summary()),
    "api_keys": (shapes.AccountApiKeysResponse, lambda client: client.account.api_keys()),
    "storage": (shapes.AccountStorageResponse, lambda client: client.account.storage()),
    "storage_details": (shapes.AccountStorageResponse, lambda client: client.account.storage(details="true")),
    "profile": (shapes.AccountProfileResponse, lambda client: client.account.profile(username=username)),
    "follow": (shapes.AccountFollowResponse, lambda client: client.account.follow(username=username, followed=True)),
    "nobody": (shapes.AccountProfileResponse, lambda client: client.account.profile(username="nobody-here")),
    "transactions": (shapes.BillingTransactionsResponse, lambda client: client.billing.transactions()),
    "none_yet": (shapes.BillingTransactionsResponse, lambda client: client.billing.transactions(from_="2020-01-01", to="2020-02-01")),
    "all_days": (shapes.BillingTransactionsResponse, lambda client: client.billing.transactions(from_="0001-01-01", to="9999-12-31")),
    "usage_summary": (shapes.BillingUsageSummaryResponse, lambda client: client.billing.usage_summary()),
    "trash": (shapes.LifecycleTrashResponse, lambda client: client.lifecycle.trash(type="all", page=1, limit=10)),
    "restore": (shapes.LifecycleRestoreResponse, lambda client: client.lifecycle.restore(id="m1", type="model")),
    "delete": (shapes.LifecycleDeleteTrashResponse, lambda client: client.lifecycle.delete_trash(body={"id": "m1", "type": "model"})),
    "empty": (shapes.LifecycleDeleteTrashResponse, lambda client: client.lifecycle.delete_trash(body={"all": True})),
}
username = sys.argv[2]


def refusal(error):
    return {"error": (error.json or {}).get("error"), "status": error.status_code, "members": sorted(error.json or {})}


def in_order():
    answers = {}
    with Platform(api_key=key, base_url=base_url, max_retries=0) as client:
        for name, (_, call) in CALLS.items():
            try:
                answers[name] = call(client)
            except APIError as error:
                answers[name] = refusal(error)
    return answers


async def at_once():
    async def one(client, call):
        try:
            return await call(client)
        except APIError as error:
            return refusal(error)

    async with AsyncPlatform(api_key=key, base_url=base_url, max_retries=0) as client:
        answers = await asyncio.gather(*(one(client, call) for _, call in CALLS.values()))
    return dict(zip(CALLS, answers))


answers = in_order()
same = asyncio.run(at_once())
if answers != same:
    sys.exit(f"asynchronously it comes to something else:\n{answers}\n{same}")
faults = [
    fault
    for name, (shape, _) in CALLS.items()
    if "error" not in answers[name]
    for fault in differences(answers[name], shape, name)
]
if faults:
    sys.exit("the answers are not what the client describes:\n" + "\n".join(faults))
print(json.dumps(answers))
