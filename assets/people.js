// Enhancements of the profile forms: they are saved shortly after the last change, and the username field shows at once
// whether a name is available. Every form works without this file.
const SAVE_AFTER_MS = 1000;
const ASK_AFTER_MS = 400;
// Long enough that a press of the form's own button saves the field, and not the timer.
const LEFT_AFTER_MS = 150;

const words = { saving: "Saving…", saved: "Saved", waiting: "Not saved yet", "not-saved": "Not saved" };

const keepSaved = (form) => {
  const state = document.querySelector(`[data-state="${form.dataset.autosave}"]`);
  // The form saves itself, so it needs no button, until saving fails.
  const button = form.querySelector("[data-save]");
  button.hidden = true;
  let timer;
  let running = false;
  let leaving = false;
  let last;

  const say = (is, sentence = words[is]) => {
    state.hidden = false;
    state.dataset.is = is;
    if (state.textContent !== sentence) state.textContent = sentence;
  };

  // Shows the error that the answer has for each field, and removes the others. Does not touch the field that has the
  // focus.
  const show = (answer) => {
    for (const place of form.querySelectorAll(".wrong[id]")) {
      const field = document.getElementById(place.id.replace(/-fault$/, ""));
      const error = answer?.getElementById(place.id);
      const isWrong = Boolean(error?.textContent.trim());
      if (isWrong && field === document.activeElement) continue;
      place.replaceChildren(...(isWrong ? [...error.childNodes].map((node) => document.adoptNode(node)) : []));
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
    // As a document, because the content security policy of the page forbids to parse text into elements.
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
        if (renew(request.response) && !isOlder) last = filled();
        if (!isOlder) say("saved");
      } else if (request.status === 200) {
        button.hidden = false;
        say("not-saved", "You were signed out. Sign in, then save again.");
      } else if (request.status >= 400 && request.status < 429) {
        show(request.response);
        if (request.status === 403) {
          button.hidden = false;
          say("not-saved", "Not saved. Reload the page and try again.");
          return;
        }
        say(form.contains(document.activeElement) && !form.querySelector("[aria-invalid]") ? "waiting" : "not-saved");
      } else {
        button.hidden = false;
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
    // "Saved" must be shown only while it is true for the current content of the form.
    if (state.dataset.is === "saved") state.hidden = true;
    if (event.target.name === "theme") document.documentElement.dataset.theme = event.target.value;
    timer = setTimeout(save, SAVE_AFTER_MS);
  });
  const soon = () => { clearTimeout(timer); timer = setTimeout(save, LEFT_AFTER_MS); };
  form.addEventListener("change", soon);
  // An error that was not shown while its field had the focus is shown when the field loses it.
  form.addEventListener("focusout", () => { if (state.dataset.is === "waiting") { last = ""; soon(); } });
  form.addEventListener("submit", () => { clearTimeout(timer); leaving = true; });
  addEventListener("pageshow", () => { leaving = false; });
  // Also saves when the person leaves the page before the timer has fired.
  addEventListener("pagehide", () => {
    const typed = filled();
    if (!leaving && typed !== last && !form.querySelector("[aria-invalid]")) {
      fetch(form.action, { method: "POST", body: new URLSearchParams(typed), keepalive: true, redirect: "manual" }).catch(() => {});
    }
  });
};

// Updates other parts of the page that show saved values: the name in the sidebar, the pressed theme button and the
// colour of the initials.
const mirror = (fresh) => {
  for (const part of [".who", "form.theme", ".portrait > span.face"]) {
    const [here, there] = [document.querySelector(part), fresh?.querySelector(part)];
    if (here && there && !here.contains(document.activeElement)) here.replaceWith(document.adoptNode(there));
  }
};

// The cookie of the session changes once a day, and with it what the forms of the page have to send.
const renew = (fresh) => {
  const token = fresh?.querySelector("input[name=csrf]")?.value;
  if (token) for (const one of document.querySelectorAll("input[name=csrf]")) one.value = token;
  return Boolean(token);
};

for (const form of document.querySelectorAll("form[data-autosave]")) keepSaved(form);

const name = document.querySelector("[data-check-name]");
if (name) {
  const status = document.getElementById(name.dataset.checkName);
  let timer;
  let requests = 0;
  const ask = async () => {
    const typed = name.value.trim();
    const number = ++requests;
    if (typed.length < 4) { status.replaceChildren(); return; }
    const answer = await fetch(`/api/username/check?suggest=true&username=${encodeURIComponent(typed)}`).catch(() => null);
    // Only the answer to the latest request counts, in whatever order the answers arrive.
    if (!answer?.ok || number !== requests) return;
    const { available, reason, suggestion } = await answer.json();
    status.dataset.is = available ? "free" : "taken";
    status.textContent = available ? `${typed.toLowerCase()} is available.` : reason;
    if (suggestion) {
      const take = document.createElement("button");
      take.type = "button";
      take.className = "button small";
      take.textContent = `Use ${suggestion}`;
      take.addEventListener("click", () => { name.value = suggestion; name.focus(); ask(); });
      status.append(" ", take);
    }
  };
  name.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, ASK_AFTER_MS); });
}

// The time zone of this browser is proposed where another one is chosen.
const zones = document.getElementById("time_zone");
const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zones && here && zones.value !== here && [...zones.options].some((option) => option.value === here)) {
  const propose = document.createElement("button");
  propose.type = "button";
  propose.className = "button small propose";
  propose.textContent = `Use ${here.replaceAll("_", " ")}, as this browser`;
  propose.addEventListener("click", () => {
    zones.value = here;
    propose.remove();
    zones.focus();
    zones.dispatchEvent(new Event("change", { bubbles: true }));
  });
  zones.after(propose);
}

// A chosen picture is shown as it will look. It can be moved and enlarged, and only the visible square is sent.
const file = document.getElementById("picture");
const SIDE = 192;
const SENT_SIDE = 512;
if (file) {
  const crop = document.createElement("div");
  crop.className = "crop";
  crop.hidden = true;
  const canvas = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE, tabIndex: 0 });
  // Screen readers leave the arrow keys to it.
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", "Preview. Move the picture with the arrow keys or by dragging.");
  const size = Object.assign(document.createElement("input"), { type: "range", min: "1", max: "4", step: "0.05", value: "1", id: "picture-size" });
  const label = Object.assign(document.createElement("label"), { htmlFor: size.id, textContent: "Size" });
  crop.append(canvas, label, size);
  file.closest(".field").after(crop);
  let picture;
  // The centre of the visible square, as parts of the picture.
  let centre = { x: 0.5, y: 0.5 };

  const paint = (target, side) => {
    const edge = Math.min(picture.width, picture.height) / Number(size.value);
    const half = { x: edge / 2 / picture.width, y: edge / 2 / picture.height };
    for (const axis of ["x", "y"]) centre[axis] = Math.min(1 - half[axis], Math.max(half[axis], centre[axis]));
    const [left, top] = [centre.x * picture.width - edge / 2, centre.y * picture.height - edge / 2];
    target.getContext("2d").drawImage(picture, left, top, edge, edge, 0, 0, side, side);
  };
  const show = () => picture && paint(canvas, SIDE);
  const move = (x, y) => {
    const edge = Math.min(picture.width, picture.height) / Number(size.value);
    centre = { x: centre.x - (x / SIDE) * (edge / picture.width), y: centre.y - (y / SIDE) * (edge / picture.height) };
    show();
  };

  file.addEventListener("change", async () => {
    crop.hidden = true;
    // The server says what is wrong with a file that is no picture.
    picture = undefined;
    const chosen = file.files[0];
    const made = chosen && await createImageBitmap(chosen).catch(() => undefined);
    // Another file may have been chosen meanwhile.
    if (!made || chosen !== file.files[0]) return;
    picture = made;
    // What was wrong with the file before.
    document.getElementById("picture-fault")?.replaceChildren();
    file.removeAttribute("aria-invalid");
    centre = { x: 0.5, y: 0.5 };
    size.value = "1";
    crop.hidden = false;
    show();
  });
  size.addEventListener("input", show);
  canvas.addEventListener("pointermove", (event) => { if (event.buttons) move(event.movementX, event.movementY); });
  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  const STEP = 8;
  const ARROWS = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
  canvas.addEventListener("keydown", (event) => {
    if (!ARROWS[event.key]) return;
    event.preventDefault();
    move(...ARROWS[event.key]);
  });
  file.form.addEventListener("submit", async (event) => {
    if (!picture) return;
    event.preventDefault();
    const sent = Object.assign(document.createElement("canvas"), { width: SENT_SIDE, height: SENT_SIDE });
    paint(sent, SENT_SIDE);
    picture = undefined;
    const blob = await new Promise((done) => { sent.toBlob(done, "image/png"); });
    const files = new DataTransfer();
    files.items.add(new File([blob], "picture.png", { type: "image/png" }));
    file.files = files.files;
    file.form.submit();
  });
}
