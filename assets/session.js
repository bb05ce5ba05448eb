// An enhancement: warns a minute before the session ends, and afterwards shows why it ended. Only the server knows when
// that is, because several tabs share a session. So this script asks the server, with a request that does not count as
// activity.
const dialog = document.getElementById("session-end");
const WARN_SECONDS = 60;
// The interval of requests while the dialog is open: the person may have answered it or worked in another tab.
const ASK_SECONDS = 5;
const LAST_SECONDS = 15;
// Timers are late on a machine that was asleep, and a timer cannot be longer than 24 days.
const LONGEST_SECONDS = 3600;

if (dialog) {
  const clock = dialog.querySelector("[data-clock]");
  const stay = dialog.querySelector("form[action='/session/stay']");
  // A person who dismissed the dialog wants to read the page first. The dialog opens again for the last seconds.
  let dismissed = false;
  let end = Date.now() + Number(dialog.dataset.left) * 1000;
  let timer;

  const secondsLeft = () => Math.max(0, Math.ceil((end - Date.now()) / 1000));
  const later = (seconds) => {
    clearTimeout(timer);
    timer = setTimeout(ask, Math.min(seconds, LONGEST_SECONDS) * 1000);
  };
  // The page redirects to the sign-in page, which explains why and returns to this page afterwards.
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
      // The server does not answer, which says nothing about the session.
      return later(ASK_SECONDS);
    }
    if (answer.type === "opaqueredirect") return leave();
    if (!answer.ok) return later(ASK_SECONDS);
    const left = await answer.json();
    end = Date.now() + left.seconds * 1000;
    if (left.seconds > WARN_SECONDS) {
      dismissed = false;
      if (dialog.open) dialog.close();
      return later(left.seconds - WARN_SECONDS);
    }
    show(left.final);
    // A second after the end, not before it: otherwise the session would still be live when the page loads again.
    return later(Math.min(ASK_SECONDS, left.seconds + 1));
  };

  stay.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await fetch(stay.action, { method: "POST", redirect: "manual", body: new URLSearchParams(new FormData(stay)) });
    } catch {
      // The next request shows whether the session goes on.
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
