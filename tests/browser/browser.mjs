// A real Chromium, and what must hold of every page it shows: nothing from elsewhere, no breach of the page's own
// policy, no error in the console, no violation that axe-core knows, no sideways scrolling on a phone.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { overflow, overlaps, smallFields } from "./checks.mjs";

const tools = path.join(import.meta.dirname, "../tools/node_modules");
const require = createRequire(path.join(tools, "here.js"));

const missing = (what) => {
  console.error(`this test needs ${what}, which is not here. Run: ./dev tools`);
  process.exit(1);
};

const tool = (name) => {
  try {
    return require.resolve(name);
  } catch {
    return missing(name);
  }
};

const { chromium } = require(tool("playwright-core"));
const axeSource = fs.readFileSync(tool("axe-core/axe.min.js"), "utf8");

// What the test that started us says: addresses, folders and the commands of the other parties.
export const given = JSON.parse(process.argv[2] ?? "{}");

// How long anything may take on a busy machine before it counts as not happening.
const PATIENCE = 60_000;
const PHONE = { width: 390, height: 844 };
const SMALL_PHONE = { width: 320, height: 640 };
const DESK = { width: 1280, height: 800 };

// Chromium without its windows: the same engine and pages, for a third of the time.
const chromiumPath = () => {
  const file = "/usr/bin/chromium-headless-shell";
  return fs.existsSync(file) ? file : missing("chromium-headless-shell");
};

// Everything that was wrong on the way; a walk goes on to its end and names it all at once.
const complaints = [];

// The other sites of a test, such as a provider: their pages are not looked at.
const isProvider = (url) => Boolean(url) && (given.providers ?? []).includes(new URL(url).origin);

/** Chromium. `close` fails if anything was wrong. */
export const open = async () => {
  const browser = await chromium.launch({
    executablePath: chromiumPath(),
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });
  /** A person at a browser of their own. */
  const person = async (options = {}) => {
    const context = await browser.newContext({ viewport: DESK, acceptDownloads: true, ...options });
    context.setDefaultTimeout(PATIENCE);
    context.on("request", (request) => {
      const url = new URL(request.url());
      const isOurs = url.protocol === "data:" || url.protocol === "blob:" || url.origin === given.url;
      // What a neighbour's own page asks for is its own affair.
      if (!isOurs && !isProvider(url) && !isProvider(request.headers().referer)) {
        complaints.push(`a request to a foreign host: ${url}`);
      }
    });
    const page = await context.newPage();
    listen(page);
    return page;
  };

  const close = async () => {
    await browser.close();
    assert.deepEqual(complaints, [], "the browser found faults");
  };
  return { person, close };
};

// Chromium says in the console that a form shown again came with status 400 or 401: that is so on purpose.
const isStatusNotice = (text) => /^Failed to load resource: the server responded with a status of 4\d\d/.test(text);

const listen = (page) => {
  page.on("console", (message) => {
    const isSerious = ["error", "warning"].includes(message.type());
    if (isSerious && !isStatusNotice(message.text()) && !isProvider(page.url())) {
      complaints.push(`${page.url()} said in the console: ${message.text()}`);
    }
  });
  page.on("pageerror", (error) => complaints.push(`${page.url()} threw: ${error}`));
};

/** Waits until `look` finds something. */
export const until = async (what, look) => {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const found = await look();
    if (found) return found;
    assert.ok(Date.now() < end, `waited ${PATIENCE / 1000} s in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

/** The person at `page` sees `title` as the page's heading, and the tab is named after it. */
export const sees = async (page, title) => {
  await page.getByRole("heading", { level: 1, name: title }).waitFor();
};

/** Fills in fields by their labels. */
export const fillIn = async (page, fields) => {
  for (const [label, value] of Object.entries(fields)) await page.getByLabel(label, { exact: true }).fill(value);
};

/** Presses a button by its words. */
export const press = (page, name, options = {}) => page.getByRole("button", { name, exact: true, ...options }).click();

const LOOKS = [
  { name: "light", scheme: "light", size: DESK },
  { name: "dark", scheme: "dark", size: DESK },
  { name: "phone", scheme: "light", size: PHONE },
];

const violationsOf = async (page) => {
  await page.evaluate(axeSource);
  return page.evaluate(async () => {
    const found = await axe.run(document, { resultTypes: ["violations"] });
    return found.violations.map((one) => `${one.id} (${one.help}): ${one.nodes.map((node) => node.html).join(" | ")}`);
  });
};

// The narrowest phone: nothing is cut off or on something else, and fields are large enough.
const inspectSmallPhone = async (page, name) => {
  await page.setViewportSize(SMALL_PHONE);
  const where = `${name}, 320 px`;
  complaints.push(...(await page.evaluate(overflow)).map((element) => `${where}: wider than the window: ${element}`));
  complaints.push(...(await page.evaluate(overlaps)).map((pair) => `${where}: on each other: ${pair}`));
  complaints.push(...(await page.evaluate(smallFields)).map((field) => `${where}: text below 16 px: ${field}`));
  if (given.shots) await page.screenshot({ path: path.join(given.shots, `${name}.small.png`), fullPage: true });
};

// In a quick run, each page gets one look, when it is inspected first, the next page the next look. Its other states are only
// measured on the narrowest phone, but where a script looks at every state: all looks at all states are for `--deep`.
const inspected = new Set();
let inspections = 0;
const looks = (page) => {
  if (given.deep || given.shots) return LOOKS;
  const kind = new URL(page.url()).pathname.replace(/_[0-9a-z]{26}/g, "_");
  const isKnown = inspected.has(kind);
  inspected.add(kind);
  inspections += 1;
  return isKnown && !given.everyState ? [] : [LOOKS[inspections % LOOKS.length]];
};

/** Looks at the page as it stands: light, dark, on a phone and on the narrowest one. With `given.shots` it keeps pictures. */
export const inspect = async (page, name) => {
  for (const look of looks(page)) {
    // Without motion: a colour on its way from light to dark is neither.
    await page.emulateMedia({ colorScheme: look.scheme, reducedMotion: "reduce" });
    await page.setViewportSize(look.size);
    const where = `${name}, ${look.name}`;
    complaints.push(...(await violationsOf(page)).map((violation) => `${where}: axe-core found ${violation}`));
    complaints.push(...(await page.evaluate(overflow)).map((element) => `${where}: wider than the window: ${element}`));
    if (given.shots) {
      await page.evaluate(() => scrollTo(0, 0));
      await page.screenshot({ path: path.join(given.shots, `${name}.${look.name}.png`), fullPage: true });
    }
  }
  await page.emulateMedia({ colorScheme: "light" });
  await inspectSmallPhone(page, name);
  await page.setViewportSize(DESK);
  if (!/^.+ · Domicile$/.test(await page.title())) complaints.push(`${name}: the tab has no name`);
};
