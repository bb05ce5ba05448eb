// Comfort only: a minute before a session ends its person is asked, and afterwards the page says why. The server alone knows
// when that is, and several tabs share one session: so this asks it, in a way that does not count as being there.
const dialog = document.getElementById("session-end");
const WARN_SECONDS = 60;
// While the question stands: another tab may have been answered, or used.
const ASK_SECONDS = 5;
const LAST_SECONDS = 15;
// Timers of sleeping machines are late, and longer ones than 24 days do not exist.
const LONGEST_SECONDS = 3600;

if (dialog) {
  const clock = dialog.querySelector("[data-clock]");
  const stay = dialog.querySelector("form[action='/session/stay']");
  // Who sent the question away wants to read the page first; it comes back for the last moments.
  let dismissed = false;
  let end = Date.now() + Number(dialog.dataset.left) * 1000;
  let timer;

  const secondsLeft = () => Math.max(0, Math.ceil((end - Date.now()) / 1000));
  const later = (seconds) => {
    clearTimeout(timer);
    timer = setTimeout(ask, Math.min(seconds, LONGEST_SECONDS) * 1000);
  };
  // The page itself leads to the sign-in, which says why, and back here.
  const leave = () => location.assign(location.pathname + location.search);

  const tick = () => {
    const left = secondsLeft();
    clock.textContent = left === 1 ? "1 second" : `${left} seconds`;
    if (dialog.open && left === 0) later(0);
  };

  const show = (isFinal) => {
    stay.hidden = isFinal;
    for (const part of dialog.querySelectorAll("[data-when]")) part.hidden = (part.dataset.when === "final") !== isFinal;
    tick();
    if (!dialog.open && (!dismissed || secondsLeft() <= LAST_SECONDS)) dialog.showModal();
  };

  const ask = async () => {
    let answer;
    try {
      answer = await fetch("/session/left", { redirect: "manual", headers: { Accept: "application/json" } });
    } catch {
      // Nobody answers: it says nothing about the session.
      return later(ASK_SECONDS);
    }
    if (answer.type === "opaqueredirect") return leave();
    if (!answer.ok) return later(ASK_SECONDS);
    const told = await answer.json();
    end = Date.now() + told.seconds * 1000;
    if (told.seconds > WARN_SECONDS) {
      dismissed = false;
      if (dialog.open) dialog.close();
      return later(told.seconds - WARN_SECONDS);
    }
    show(told.final);
    // A moment after the end rather than before it, or the page would come back as if nothing were over.
    return later(Math.min(ASK_SECONDS, told.seconds + 1));
  };

  stay.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await fetch(stay.action, { method: "POST", redirect: "manual", body: new URLSearchParams(new FormData(stay)) });
    } catch {
      // The next question finds out.
    }
    stay.querySelector("button").removeAttribute("aria-busy");
    ask();
  });
  const dismiss = () => { dismissed = true; };
  dialog.addEventListener("cancel", dismiss);
  dialog.querySelector("form[method=dialog]").addEventListener("submit", dismiss);
  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && ask());
  later(Math.max(0, secondsLeft() - WARN_SECONDS));
}
