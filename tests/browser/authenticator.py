"""Authenticators without a browser (soft-webauthn and fido2, PyPI), which can also forge responses: each field can be changed on
its own, and the forged response is signed like a right one. Reads one JSON command per line and answers with one JSON line."""

import json
import sys
from base64 import urlsafe_b64decode, urlsafe_b64encode
from struct import pack

try:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
    from fido2 import cbor
    from fido2.cose import ES256, EdDSA
    from fido2.utils import sha256
    from fido2.webauthn import AuthenticatorData
    from soft_webauthn import SoftWebauthnDevice
except ModuleNotFoundError as error:
    sys.exit(f"this test needs {error.name}, which is not installed. Run: ./dev tools")

UP, UV, BE, BS, AT = 0x01, 0x04, 0x08, 0x10, 0x40


def text(data):
    return urlsafe_b64encode(data).decode().rstrip("=")


def data(encoded):
    return urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))


def flipped(data, index=-1):
    changed = bytearray(data)
    changed[index] ^= 1
    return bytes(changed)


def client_data(kind, options, origin, change):
    challenge = data(options["challenge"])
    client = {
        "type": change.get("type", kind),
        "challenge": text(flipped(challenge) if change.get("challenge") == "flipped" else challenge[: change.get("challenge_bytes", 99)]),
        "origin": change.get("origin", origin),
        "crossOrigin": change.get("cross_origin", False),
    }
    client.pop(change.get("without"), None)
    return json.dumps(client).encode()


def flags(change, more=0):
    bits = UP | UV | more | change.get("set", 0)
    return bits & ~change.get("clear", 0)


def create(device, options, origin, change):
    device.cred_init(options["rp"]["id"], data(options["user"]["id"]))
    if "credential_id" in change:
        device.credential_id = data(change["credential_id"])
    device.sign_count = change.get("sign_count", 0)
    key = cbor.encode(ES256.from_cryptography_key(device.private_key.public_key()))
    if change.get("alg") == "eddsa":
        key = cbor.encode(EdDSA.from_cryptography_key(ed25519.Ed25519PrivateKey.generate().public_key()))
    if change.get("alg") == "renamed":
        cose_key = dict(ES256.from_cryptography_key(device.private_key.public_key()))
        cose_key[3] = -47
        key = cbor.encode(cose_key)
    if change.get("key") == "off_curve":
        cose_key = dict(ES256.from_cryptography_key(device.private_key.public_key()))
        cose_key[-3] = flipped(cose_key[-3])
        key = cbor.encode(cose_key)
    authenticator_data = (
        sha256(change.get("rp_id", options["rp"]["id"]).encode())
        + bytes([flags(change, AT)])
        + pack(">I", device.sign_count)
        + device.aaguid
        + pack(">H", len(device.credential_id))
        + device.credential_id
        + key
    )
    if change.get("clear", 0) & AT:
        authenticator_data = authenticator_data[:37]
    authenticator_data = authenticator_data[: change.get("cut", 100_000)] + b"\0" * change.get("padded", 0)
    attestation = cbor.encode({"fmt": change.get("fmt", "none"), "attStmt": {}, "authData": authenticator_data})
    attestation = attestation[: change.get("attestation_bytes", 1_000_000)] + b"\xff" * change.get("attestation_more", 0)
    raw_id = b"another credential id" if change.get("raw_id") else device.credential_id
    return {
        "id": text(raw_id),
        "rawId": text(raw_id),
        "type": change.get("credential_type", "public-key"),
        "response": {
            "clientDataJSON": text(client_data("webauthn.create", options, origin, change)),
            "attestationObject": text(attestation),
        },
    }


def get(device, options, origin, change):
    device.sign_count = change.get("sign_count", device.sign_count + 1)
    client = client_data("webauthn.get", options, origin, change)
    authenticator_data = (
        sha256(change.get("rp_id", options["rpId"]).encode()) + bytes([flags(change)]) + pack(">I", device.sign_count)
    )
    AuthenticatorData(authenticator_data)
    authenticator_data = authenticator_data[: change.get("cut", 100_000)] + b"\0" * change.get("padded", 0)
    key = ec.generate_private_key(ec.SECP256R1()) if change.get("key") == "another" else device.private_key
    digest = hashes.SHA384() if change.get("alg") == "sha384" else hashes.SHA256()
    signature = key.sign(authenticator_data + sha256(client), ec.ECDSA(digest))
    if change.get("signature") == "flipped":
        signature = flipped(signature)
    if change.get("signature") == "empty":
        signature = b""
    if change.get("after") == "client_data":
        client += b" "
    if change.get("after") == "authenticator_data":
        authenticator_data = authenticator_data[:33] + pack(">I", device.sign_count + 1)
    credential_id = data(change["raw_id"]) if "raw_id" in change else device.credential_id
    handle = device.user_handle
    if "user_handle" in change:
        handle = None if change["user_handle"] is None else data(change["user_handle"])
    return {
        "id": text(credential_id),
        "rawId": text(credential_id),
        "type": change.get("credential_type", "public-key"),
        "response": {
            "clientDataJSON": text(client),
            "authenticatorData": text(authenticator_data),
            "signature": text(signature),
            "userHandle": None if handle is None else text(handle),
        },
    }


devices = []
for line in sys.stdin:
    command = json.loads(line)
    options, change = command["options"]["publicKey"], command.get("change", {})
    if command["op"] == "create":
        devices.append(SoftWebauthnDevice())
        credential = create(devices[-1], options, command["origin"], change)
    else:
        credential = get(devices[command["device"]], options, command["origin"], change)
    print(json.dumps({"device": len(devices) - 1, "credential": credential}), flush=True)
