// Enhancements. Every page works without this file.
const announce = (button, text) => {
  const words = button.querySelector("[aria-live]");
  const before = words.innerText;
  words.textContent = text;
  setTimeout(() => { words.textContent = before; }, 2000);
};

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
      announce(button, "Copied");
    } catch {
      getSelection().selectAllChildren(source);
      announce(button, "Selected");
    }
  });
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

for (const button of document.querySelectorAll("[data-reveal]")) {
  button.hidden = false;
  const field = document.getElementById(button.dataset.reveal);
  button.addEventListener("click", () => {
    const hidden = field.type === "password";
    field.type = hidden ? "text" : "password";
    button.firstChild.textContent = hidden ? "Hide" : "Show";
    button.setAttribute("aria-pressed", String(hidden));
  });
}

// The strength of a new password. The server rates it by the rule that it must pass, shortly after the last keystroke.
const PAUSE_MS = 250;
for (const meter of document.querySelectorAll("[data-meter]")) {
  const field = document.getElementById(meter.dataset.meter);
  const words = meter.querySelector("[aria-live]");
  let timer;
  let pending = new AbortController();
  const ask = async () => {
    pending = new AbortController();
    try {
      const body = new URLSearchParams(new FormData(field.form));
      const answer = await fetch("/password/strength", { method: "POST", body, signal: pending.signal });
      if (!answer.ok) return;
      const { score, sentence } = await answer.json();
      meter.dataset.score = score;
      meter.hidden = score === 0;
      // The element is shown before its text is set: screen readers do not announce text that appears together with its
      // element.
      requestAnimationFrame(() => { words.textContent = sentence; });
    } catch {
      // The next keystroke asks again, and the server checks the form in any case.
    }
  };
  field.addEventListener("input", () => {
    pending.abort();
    clearTimeout(timer);
    if (field.value) timer = setTimeout(ask, PAUSE_MS);
    else meter.hidden = true;
  });
}

// A second press of a button does nothing while the first one is sent, so that no key is created twice. A download
// stays on its page and is not affected.
for (const form of document.querySelectorAll("form[method=post]:not([data-stays])")) {
  form.addEventListener("submit", (event) => {
    const button = event.submitter ?? form.querySelector("button:not([type=button])");
    if (button.getAttribute("aria-busy") === "true") event.preventDefault();
    button.setAttribute("aria-busy", "true");
  });
}
// Buttons of a page from the back-forward cache must not stay busy.
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
});

// Presets tick scopes, and the sentence next to the button lists the ticked scopes.
const presets = document.querySelector("[data-presets]");
if (presets) {
  presets.hidden = false;
  const boxes = [...document.querySelectorAll("input[name=scope]")];
  const sentence = document.querySelector("[data-chosen]");
  const nothing = sentence.textContent;
  const say = () => {
    const chosen = boxes.filter((box) => box.checked).map((box) => box.value);
    sentence.textContent = chosen.length ? `This key may: ${chosen.join(", ")}.` : nothing;
  };
  for (const button of presets.querySelectorAll("[data-preset]")) {
    button.addEventListener("click", () => {
      const wanted = button.dataset.preset.split(" ");
      for (const box of boxes) box.checked = wanted.includes(box.value);
      say();
    });
  }
  for (const box of boxes) box.addEventListener("change", say);
  say();
}

// While an export is being prepared, its card is fetched again until it is ready. It is fetched as a document, because
// the content security policy of the page forbids to parse text into elements.
const POLL_MS = 1500;
const poll = () => {
  if (!document.querySelector("[data-poll]")) return;
  const request = new XMLHttpRequest();
  request.open("GET", location.pathname);
  request.responseType = "document";
  request.onloadend = () => {
    const fresh = request.response?.getElementById("exports");
    if (fresh) document.getElementById("exports").replaceWith(document.adoptNode(fresh));
    setTimeout(poll, POLL_MS);
  };
  request.send();
};
setTimeout(poll, POLL_MS);

document.querySelector("[data-focus]")?.focus();
