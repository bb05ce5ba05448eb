// Passkeys, the only feature that needs a script. A form with data-passkey fetches a challenge, lets the browser answer
// it, and is then submitted like any other form.
const toBytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
const toText = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

const decodeIds = (list) => (list ?? []).map((one) => ({ ...one, id: toBytes(one.id) }));

const create = async ({ publicKey }) => {
  const options = {
    ...publicKey,
    challenge: toBytes(publicKey.challenge),
    user: { ...publicKey.user, id: toBytes(publicKey.user.id) },
    excludeCredentials: decodeIds(publicKey.excludeCredentials),
  };
  const credential = await navigator.credentials.create({ publicKey: options });
  const { clientDataJSON, attestationObject } = credential.response;
  return { credential, response: { clientDataJSON: toText(clientDataJSON), attestationObject: toText(attestationObject) } };
};

// `mediation`: how the browser asks, and a signal that ends it. Without it, in a window of its own.
const get = async ({ publicKey }, mediation = {}) => {
  const options = {
    ...publicKey,
    challenge: toBytes(publicKey.challenge),
    allowCredentials: decodeIds(publicKey.allowCredentials),
  };
  const credential = await navigator.credentials.get({ publicKey: options, ...mediation });
  const { clientDataJSON, authenticatorData, signature, userHandle } = credential.response;
  return {
    credential,
    response: {
      clientDataJSON: toText(clientDataJSON),
      authenticatorData: toText(authenticatorData),
      signature: toText(signature),
      userHandle: userHandle?.byteLength ? toText(userHandle) : null,
    },
  };
};

const MESSAGES = {
  NotAllowedError: "No passkey was used. Try again, or choose another method.",
  InvalidStateError: "This device already has a passkey for your account.",
  SecurityError: "Passkeys do not work at this address. Open the site under its own name.",
  NotSupportedError: "This device does not support the kind of passkey that is required here.",
};

class Refused extends Error {
  constructor(message, waitSeconds) {
    super(message);
    this.waitSeconds = waitSeconds;
  }
}

const challengeFor = async (form) => {
  const body = new URLSearchParams({ csrf: form.elements.csrf.value });
  const answer = await fetch(form.dataset.challenge, { method: "POST", body, headers: { Accept: "application/json" } });
  if (answer.ok) return answer.json();
  // The last proof of identity is too old. The page that asks for a new one returns to this page.
  if (answer.status === 403 && form.dataset.stale) location.assign(form.dataset.stale);
  if (answer.status === 429)
    throw new Refused(
      "There were too many attempts from your network. Wait a moment and try again, or use your password.",
      Number(answer.headers.get("Retry-After")) || 60,
    );
  throw new Refused("This took too long. Reload the page and try again.");
};

const answer = async (form, mediation) => {
  const { ticket, options } = await challengeFor(form);
  const { credential, response } = await (form.dataset.passkey === "create" ? create(options) : get(options, mediation));
  form.querySelector("[data-ticket]").value = ticket;
  form.querySelector("[data-credential]").value =
    JSON.stringify({ id: credential.id, rawId: toText(credential.rawId), type: credential.type, response });
  form.submit();
};

// Passkeys in the list of the name field (`autocomplete="username webauthn"`). A challenge is valid for five minutes, so a page
// that stays open asks for a new one. A press of the button ends the waiting one: a browser answers only one at a time.
const RENEW_AFTER_MS = 240_000;
let waiting;
const offerInField = async (form) => {
  if (!(await window.PublicKeyCredential?.isConditionalMediationAvailable?.())) return;
  for (;;) {
    const ended = new AbortController();
    waiting = ended;
    const timer = setTimeout(() => ended.abort("renew"), RENEW_AFTER_MS);
    try {
      await answer(form, { mediation: "conditional", signal: ended.signal });
      return;
    } catch (error) {
      // The page works without it: only an expired challenge is replaced, and one that was refused is asked for later.
      if (error.waitSeconds) await new Promise((resolve) => setTimeout(resolve, error.waitSeconds * 1000));
      else if (ended.signal.reason !== "renew") return;
    } finally {
      clearTimeout(timer);
    }
  }
};

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (document.querySelector('input[autocomplete~="webauthn"]') && form.dataset.passkey === "get") offerInField(form);
  form.hidden = !window.PublicKeyCredential;
  const button = form.querySelector("button");
  const said = form.querySelector("[data-said]");
  form.addEventListener("submit", async (event) => {
    if (event.defaultPrevented) return;
    event.preventDefault();
    said.textContent = "";
    waiting?.abort("pressed");
    try {
      await answer(form);
    } catch (error) {
      said.textContent = error instanceof Refused ? error.message : (MESSAGES[error.name] ?? "The passkey could not be used. Try again.");
      button.removeAttribute("aria-busy");
    }
  });
}
