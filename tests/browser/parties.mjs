// The others in the story: the admin at the command line, a service, programs in other languages, and the postman.
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { given, until } from "./browser.mjs";

const run = (program, args, input = "", env = {}) =>
  new Promise((resolve, reject) => {
    const child = execFile(program, args, { env: { PATH: process.env.PATH, ...env } }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${path.basename(program)} ${args.join(" ")} failed: ${stderr || stdout || error}`));
      else resolve(stdout.trim());
    });
    // A program that ends before it reads closes its end first.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });

/** A command of the admin's. */
export const domicile = (...args) => run(given.domicile, args, "", { DOMICILE_CONFIG: given.config });

/** A script of another party's; its answer is JSON. */
export const script = async (name, args, input = "") => {
  const file = path.join(import.meta.dirname, name);
  return JSON.parse(await run(given.python, [file, ...args], `${input}\n`));
};

/** What an authenticator app with this secret (base32) shows, so many seconds from now: oathtool is the judge. */
export const codeAt = (secret, ahead = 0) => {
  const at = `@${Math.floor(Date.now() / 1000) + ahead}`;
  return execFileSync("oathtool", ["--totp", "-b", secret, "-N", at], { encoding: "utf8" }).trim();
};

/** Every mail so far, the oldest first. */
export const mails = () =>
  fs.readdirSync(given.mail).filter((name) => name.endsWith(".json")).sort()
    .map((name) => JSON.parse(fs.readFileSync(path.join(given.mail, name), "utf8")));

/** Waits for the mail to `to` whose subject matches. */
export const mailTo = (to, subject) =>
  until(`a mail to ${to} about ${subject}`, () =>
    mails().find((mail) => mail.to.includes(to) && subject.test(mail.subject)));

/** A connected service: it knows its credential and the way to us. */
export const service = (credential) => {
  const post = async (where, headers, body) => {
    const answer = await fetch(given.url + where, {
      method: "POST", headers: { Authorization: `Bearer ${credential}`, ...headers }, body,
    });
    assert.equal(answer.status, 200, `${where} answered ${answer.status}`);
    return answer.json();
  };
  return {
    introspect: (token, scope) => post("/v1/introspect", {}, new URLSearchParams(scope ? { token, scope } : { token })),
    report: (events) => post("/v1/usage/events", { "Content-Type": "application/json" }, JSON.stringify(events)),
  };
};
