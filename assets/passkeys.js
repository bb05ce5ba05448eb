// Passkeys: the one thing that needs a script. A form with data-passkey fetches a challenge, lets the browser answer it, and
// goes to the server like any other form.
const toBytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
const toText = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

const named = (list) => (list ?? []).map((one) => ({ ...one, id: toBytes(one.id) }));

const create = async ({ publicKey }) => {
  const options = {
    ...publicKey,
    challenge: toBytes(publicKey.challenge),
    user: { ...publicKey.user, id: toBytes(publicKey.user.id) },
    excludeCredentials: named(publicKey.excludeCredentials),
  };
  const made = await navigator.credentials.create({ publicKey: options });
  const { clientDataJSON, attestationObject } = made.response;
  return { made, response: { clientDataJSON: toText(clientDataJSON), attestationObject: toText(attestationObject) } };
};

const get = async ({ publicKey }) => {
  const options = {
    ...publicKey,
    challenge: toBytes(publicKey.challenge),
    allowCredentials: named(publicKey.allowCredentials),
  };
  const made = await navigator.credentials.get({ publicKey: options });
  const { clientDataJSON, authenticatorData, signature, userHandle } = made.response;
  return {
    made,
    response: {
      clientDataJSON: toText(clientDataJSON),
      authenticatorData: toText(authenticatorData),
      signature: toText(signature),
      userHandle: userHandle?.byteLength ? toText(userHandle) : null,
    },
  };
};

const WORDS = {
  NotAllowedError: "No passkey was used. Try again, or choose another way.",
  InvalidStateError: "This device has a passkey for your account already.",
  SecurityError: "Passkeys do not work at this address. Open the site by its own name.",
  NotSupportedError: "This device cannot make passkeys of the kind that is needed here.",
};

class Refused extends Error {}

const challengeFor = async (form) => {
  const body = new URLSearchParams({ csrf: form.elements.csrf.value });
  const answer = await fetch(form.dataset.challenge, { method: "POST", body, headers: { Accept: "application/json" } });
  if (answer.ok) return answer.json();
  // The proof of the last sign-in is too old: the page that asks for a new one leads back here.
  if (answer.status === 403 && form.dataset.stale) location.assign(form.dataset.stale);
  throw new Refused("This took too long. Load the page again and try once more.");
};

const answer = async (form) => {
  const { ticket, options } = await challengeFor(form);
  const { made, response } = await (form.dataset.passkey === "create" ? create(options) : get(options));
  form.querySelector("[data-ticket]").value = ticket;
  form.querySelector("[data-credential]").value =
    JSON.stringify({ id: made.id, rawId: toText(made.rawId), type: made.type, response });
  form.submit();
};

for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.hidden = !window.PublicKeyCredential;
  const button = form.querySelector("button");
  const said = form.querySelector("[data-said]");
  form.addEventListener("submit", async (event) => {
    if (event.defaultPrevented) return;
    event.preventDefault();
    said.textContent = "";
    try {
      await answer(form);
    } catch (error) {
      said.textContent = error instanceof Refused ? error.message : (WORDS[error.name] ?? "The passkey could not be used. Try again.");
      button.removeAttribute("aria-busy");
    }
  });
}
