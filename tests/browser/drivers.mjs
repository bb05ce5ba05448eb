// Chromium, Firefox and WebKit behind the same few functions.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { createRequire } from "node:module";

const require = createRequire(path.join(import.meta.dirname, "../tools/node_modules/here.js"));
const PATIENCE = 60_000;
const HEIGHT = 900;
const pause = () => new Promise((resolve) => { setTimeout(resolve, 50); });

/** Waits until `look` finds something. */
export const until = async (what, look) => {
  const end = Date.now() + PATIENCE;
  for (;;) {
    // A page that is being replaced cannot be asked.
    const found = await look().catch(() => null);
    if (found) return found;
    assert.ok(Date.now() < end, `waited ${PATIENCE / 1000} s in vain for ${what}`);
    await pause();
  }
};

// Firefox over WebDriver BiDi, Chromium over its own protocol.
const puppeteer = async (options) => {
  const browser = await require("puppeteer-core").launch({ headless: true, ...options });
  let page = await browser.newPage();
  return {
    goto: (url) => page.goto(url),
    run: (code) => page.evaluate(code),
    resize: async (width) => {
      await page.setViewport({ width, height: HEIGHT });
      await until(`a page of ${width} px`, () => page.evaluate(`innerWidth === ${width}`));
    },
    cookies: async (cookies) => {
      // A person at a browser of their own.
      const context = await browser.createBrowserContext();
      page = await context.newPage();
      await context.setCookie(...cookies);
    },
    // Firefox refuses pictures of more than 65,535 pixels: the description of the API is longer.
    shot: async (file) => {
      const height = await page.evaluate("document.documentElement.scrollHeight");
      await page.screenshot({ path: file, fullPage: height < 60_000 });
    },
    close: () => browser.close(),
  };
};

const firefox = (given) => puppeteer({ browser: "firefox", executablePath: given.firefox });
const chromium = (given) =>
  puppeteer({ executablePath: given.chromium, args: ["--no-sandbox", "--disable-gpu", "--no-first-run"] });

// WebKit over WebDriver: MiniBrowser in a window that nobody sees.
const webkit = async (given) => {
  const port = given.port;
  // The window of MiniBrowser is at least as wide as its toolbar: tiny buttons let it be as narrow as a phone.
  const settings = fs.mkdtempSync(path.join(os.tmpdir(), "webkit-"));
  fs.mkdirSync(path.join(settings, "gtk-3.0"));
  fs.writeFileSync(path.join(settings, "gtk-3.0/gtk.css"),
    "* { font-size: 3px; padding: 0; margin: 0; border-width: 0; min-width: 0; min-height: 0; }\n");
  const driver = spawn("xvfb-run", ["-a", "-s", "-screen 0 1400x1000x24", given.driver, `--port=${port}`],
    { stdio: "ignore", detached: true, env: { ...process.env, XDG_CONFIG_HOME: settings } });
  // Whatever happens, neither the driver nor its screen stay.
  process.on("exit", () => {
    process.kill(-driver.pid);
    fs.rmSync(settings, { recursive: true, force: true });
  });
  const call = async (method, at, body) => {
    const answer = await fetch(`http://127.0.0.1:${port}${at}`, { method, body: body && JSON.stringify(body) });
    const { value } = await answer.json();
    assert.ok(answer.ok, JSON.stringify(value));
    return value;
  };
  await until("the driver of WebKit", () => call("GET", "/status"));
  const options = { binary: given.minibrowser, args: ["--automation"] };
  const capabilities = { alwaysMatch: { "webkitgtk:browserOptions": options } };
  const { sessionId } = await call("POST", "/session", { capabilities });
  const at = (path) => `/session/${sessionId}${path}`;
  const run = (code) => call("POST", at("/execute/sync"), { script: `return (${code})`, args: [] });
  return {
    goto: (url) => call("POST", at("/url"), { url }),
    run,
    resize: async (width) => {
      await call("POST", at("/window/rect"), { width, height: HEIGHT });
      await until(`a page of ${width} px`, async () => (await run("innerWidth")) === width);
    },
    cookies: async (cookies) => {
      await call("DELETE", at("/cookie"));
      for (const { name, value } of cookies) await call("POST", at("/cookie"), { cookie: { name, value, path: "/" } });
    },
    shot: async (file) => fs.writeFileSync(file, Buffer.from(await call("GET", at("/screenshot")), "base64")),
    close: () => call("DELETE", at("")),
  };
};

/** The browser that the test names: its program decides. */
export const start = (given) =>
  given.firefox ? firefox(given) : given.chromium ? chromium(given) : webkit(given);
