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

// What the server found wrong is about what was typed before.
for (const field of document.querySelectorAll("form:not([data-autosave]) [aria-invalid]")) {
  field.addEventListener("input", () => {
    field.removeAttribute("aria-invalid");
    document.getElementById(`${field.id}-fault`)?.replaceChildren();
  }, { once: true });
}

// The page that asks for a new proof leads back to the form that was sent, which gets back what was typed in it. Passwords are
// not kept.
const KEPT = "kept-form";
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", () => {
    if (form.querySelector("[name=proof_back]")) return;
    const fields = [...new FormData(form)].filter(([name, value]) =>
      typeof value === "string" && name !== "csrf" && form.elements[name]?.type !== "password");
    try {
      sessionStorage.setItem(KEPT, JSON.stringify({ page: location.pathname, action: form.getAttribute("action"), fields }));
    } catch {
      // A browser without storage leads back to an empty form.
    }
  });
}
for (const link of document.querySelectorAll("a[data-refill]")) {
  link.addEventListener("click", () => {
    const kept = sessionStorage.getItem(KEPT);
    if (kept) sessionStorage.setItem(KEPT, JSON.stringify({ ...JSON.parse(kept), refill: true }));
  });
}
const refill = ({ action, fields }) => {
  const form = [...document.querySelectorAll("form[method=post]")].find((one) => one.getAttribute("action") === action);
  if (!form) return;
  for (const field of form.elements) {
    if (!field.name || ["hidden", "password", "file", "submit"].includes(field.type)) continue;
    const values = fields.filter(([name]) => name === field.name).map(([, value]) => value);
    if (["checkbox", "radio"].includes(field.type)) field.checked = values.includes(field.value);
    else if (values.length) field.value = values[0];
    field.dispatchEvent(new Event("change", { bubbles: true }));
  }
  form.closest("details")?.setAttribute("open", "");
};
const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
if (kept?.page === location.pathname) {
  sessionStorage.removeItem(KEPT);
  if (kept.refill) refill(kept);
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
for (const form of document.querySelectorAll("form[method=post]:not([data-stays], .theme)")) {
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

// Presets tick scopes, what a bundle includes is shown as ticked, and the sentence next to the button lists the choice.
const presets = document.querySelector("[data-presets]");
if (presets) {
  presets.hidden = false;
  const ticks = [...document.querySelectorAll("input[type=checkbox][name=scope]")];
  const levels = [...document.querySelectorAll(".levels input[type=radio]")];
  const rows = new Map(levels.map((level) => [level.name, levels.filter((other) => other.name === level.name)]));
  const sentence = document.querySelector("[data-chosen]");
  const nothing = sentence.textContent;
  // What was chosen in a row before a bundle included it.
  const own = new Map();
  const say = () => {
    const included = new Set(ticks.filter((tick) => tick.checked).flatMap((tick) => tick.dataset.includes.split(" ")));
    for (const [name, row] of rows) {
      const highest = row.findLast((level) => included.has(level.value));
      const isIncluded = row.some((level) => level.disabled);
      if (highest && !isIncluded) own.set(name, row.find((level) => level.checked));
      // After a reload, a browser may have kept what was disabled, and nothing knows what was chosen before.
      const chosen = highest ?? own.get(name) ?? row[0];
      if (highest || isIncluded) chosen.checked = true;
      for (const level of row) level.disabled = Boolean(highest) && row.indexOf(level) <= row.indexOf(highest);
      // A level above the included one can still be chosen.
      if (highest && own.get(name) && row.indexOf(own.get(name)) > row.indexOf(highest)) own.get(name).checked = true;
      if (!highest) own.delete(name);
    }
    const chosen = [...ticks, ...levels].filter((it) => it.checked && !it.disabled && it.value).map((it) => it.value);
    sentence.textContent = chosen.length ? `This key may: ${chosen.join(", ")}.` : nothing;
  };
  for (const button of presets.querySelectorAll("[data-preset]")) {
    button.addEventListener("click", () => {
      const wanted = button.dataset.preset.split(" ");
      own.clear();
      for (const level of levels) { level.disabled = false; level.checked = level.value === ""; }
      for (const tick of ticks) tick.checked = wanted.includes(tick.value);
      say();
    });
  }
  for (const level of levels) level.addEventListener("change", () => { own.set(level.name, level); say(); });
  for (const tick of ticks) tick.addEventListener("change", say);
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
    const old = document.getElementById("exports");
    if (fresh && old) {
      const made = document.adoptNode(fresh);
      // What happened is in the first page only.
      const note = old.querySelector("[data-flash]");
      if (note) made.querySelector(".body").prepend(note);
      old.replaceWith(made);
    }
    setTimeout(poll, POLL_MS);
  };
  request.send();
};
setTimeout(poll, POLL_MS);

document.querySelector("[data-focus]")?.focus();

// What happened is said to screen readers, which announce only what changes after the page is there. A button hides it.
const ANNOUNCE_AFTER_MS = 300;
for (const note of document.querySelectorAll("[data-flash]")) {
  const sentence = note.querySelector("p").textContent;
  const announcer = document.querySelector("[data-announcer]");
  if (announcer) setTimeout(() => { announcer.textContent = sentence; }, ANNOUNCE_AFTER_MS);
  const hide = document.createElement("button");
  hide.type = "button";
  hide.className = "button quiet small dismiss";
  hide.setAttribute("aria-label", "Dismiss");
  hide.textContent = "×";
  hide.addEventListener("click", () => {
    note.remove();
    document.getElementById("main")?.focus({ preventScroll: true });
  });
  note.append(hide);
}

// The theme changes on the page as it stands, so that nothing typed and nothing shown once is lost. Heard at the document,
// because the form may be replaced.
document.addEventListener("submit", async (event) => {
  const themes = event.target;
  if (!themes.matches("form.theme")) return;
  event.preventDefault();
  const button = event.submitter;
  const body = new URLSearchParams(new FormData(themes, button));
  document.documentElement.dataset.theme = button.value;
  // The same choice on Appearance, which would save its old value otherwise.
  const select = document.getElementById("theme");
  if (select) select.value = button.value;
  for (const one of themes.querySelectorAll("button")) one.setAttribute("aria-pressed", String(one === button));
  try {
    await fetch(themes.action, { method: "POST", body, redirect: "manual" });
  } catch {
    // The theme of this page has changed; it is stored by the next press.
  }
});

// `/` moves to the search field, `?` lists the keys. Both only where nothing is being typed.
const isTyping = (element) => element.closest("input, select, textarea, [contenteditable]");
const help = document.getElementById("keys-help");
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
  const search = document.querySelector("input[type=search]");
  if (event.key === "/" && search) {
    event.preventDefault();
    search.focus();
    search.select();
  } else if (event.key === "?" && help) {
    event.preventDefault();
    help.showModal();
  }
});
