// Comfort for forms about people: they save themselves a moment after the typing stops, and a name says at once whether it
// is free. Every form works without this file.
const SAVE_AFTER_MS = 1000;
const ASK_AFTER_MS = 400;
// A field that is left for the form's own button is saved by the button.
const LEFT_AFTER_MS = 150;

const words = { saving: "Saving…", saved: "Saved", waiting: "Not saved yet", "not-saved": "Not saved" };

const keepSaved = (form) => {
  const state = document.querySelector(`[data-state="${form.dataset.autosave}"]`);
  let timer;
  let running = false;
  let leaving = false;
  let last;

  const say = (is, sentence = words[is]) => {
    state.hidden = false;
    state.dataset.is = is;
    if (state.textContent !== sentence) state.textContent = sentence;
  };

  // What the answer says about each field, or nothing where it says nothing. A field somebody is typing in is left alone.
  const show = (answer) => {
    for (const place of form.querySelectorAll(".wrong[id]")) {
      const field = document.getElementById(place.id.replace(/-fault$/, ""));
      const told = answer?.getElementById(place.id);
      const isWrong = Boolean(told?.textContent.trim());
      if (isWrong && field === document.activeElement) continue;
      place.replaceChildren(...(isWrong ? [...told.childNodes].map((node) => document.adoptNode(node)) : []));
      if (isWrong) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    }
  };

  const filled = () => new URLSearchParams(new FormData(form)).toString();

  const save = () => {
    clearTimeout(timer);
    const typed = filled();
    if (running) return;
    if (typed === last) {
      if (state.dataset.is === "saved") say("saved");
      return;
    }
    running = true;
    say("saving");
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("Content-Type", "application/x-www-form-urlencoded");
    // As a document, not as text: the page's policy allows no text to become elements.
    request.responseType = "document";
    request.onloadend = () => {
      running = false;
      if (leaving) return;
      const isOlder = filled() !== typed;
      const isHere = request.responseURL && new URL(request.responseURL).pathname.startsWith("/settings/profile");
      if (request.status === 200 && isHere) {
        last = typed;
        show(null);
        mirror(request.response);
        if (!isOlder) say("saved");
      } else if (request.status === 200) {
        say("not-saved", "You were signed out. Sign in, then save again.");
      } else if (request.status >= 400 && request.status < 429) {
        show(request.response);
        say(form.contains(document.activeElement) && !form.querySelector("[aria-invalid]") ? "waiting" : "not-saved");
      } else {
        say("not-saved", "Not saved. Press Save in a moment.");
        return;
      }
      if (isOlder) save();
    };
    request.send(typed);
  };

  last = filled();
  form.addEventListener("input", (event) => {
    clearTimeout(timer);
    // What is shown as saved is what is in the form.
    if (state.dataset.is === "saved") state.hidden = true;
    if (event.target.name === "theme") document.documentElement.dataset.theme = event.target.value;
    timer = setTimeout(save, SAVE_AFTER_MS);
  });
  const soon = () => { clearTimeout(timer); timer = setTimeout(save, LEFT_AFTER_MS); };
  form.addEventListener("change", soon);
  // A refusal that was kept back while its field was typed in is told when the field is left.
  form.addEventListener("focusout", () => { if (state.dataset.is === "waiting") { last = ""; soon(); } });
  form.addEventListener("submit", () => { clearTimeout(timer); leaving = true; });
  addEventListener("pageshow", () => { leaving = false; });
  // Who leaves within the second takes nothing back.
  addEventListener("pagehide", () => {
    const typed = filled();
    if (!leaving && typed !== last && !form.querySelector("[aria-invalid]")) {
      fetch(form.action, { method: "POST", body: new URLSearchParams(typed), keepalive: true, redirect: "manual" }).catch(() => {});
    }
  });
};

// What other parts of the page show of what was saved: the name beside the rail, the theme that is pressed.
const mirror = (fresh) => {
  for (const part of [".who", "form.theme"]) {
    const [here, there] = [document.querySelector(part), fresh?.querySelector(part)];
    if (here && there && !here.contains(document.activeElement)) here.replaceWith(document.adoptNode(there));
  }
};

for (const form of document.querySelectorAll("form[data-autosave]")) keepSaved(form);

const name = document.querySelector("[data-check-name]");
if (name) {
  const told = document.getElementById(name.dataset.checkName);
  let timer;
  let asked = 0;
  const ask = async () => {
    const typed = name.value.trim();
    const number = ++asked;
    if (typed.length < 4) { told.replaceChildren(); return; }
    const answer = await fetch(`/api/username/check?suggest=true&username=${encodeURIComponent(typed)}`).catch(() => null);
    // A later answer counts, whichever comes first.
    if (!answer?.ok || number !== asked) return;
    const { available, reason, suggestion } = await answer.json();
    told.dataset.is = available ? "free" : "taken";
    told.textContent = available ? `${typed.toLowerCase()} is free.` : reason;
    if (suggestion) {
      const take = document.createElement("button");
      take.type = "button";
      take.className = "button small";
      take.textContent = `Use ${suggestion}`;
      take.addEventListener("click", () => { name.value = suggestion; name.focus(); ask(); });
      told.append(" ", take);
    }
  };
  name.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, ASK_AFTER_MS); });
}
