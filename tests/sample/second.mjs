// A second service, written from the page "Connect a service" alone: it counts runs, and deletes or exports them.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { Webhook } from "../tools/node_modules/standardwebhooks/dist/index.js";

const { DOMICILE_URL, DOMICILE_CODE, WEBHOOK_URL, PORT } = process.env;
const SECRETS = "runs-secrets.json";
let secrets = {};
const runs = [];

async function call(method, path, body, type = "application/json") {
    const headers = { "content-type": type };
    if (secrets.credential) headers.authorization = `Bearer ${secrets.credential}`;
    const answer = await fetch(DOMICILE_URL + path, { method, headers, body });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
}

if (!existsSync(SECRETS)) {
    const answer = await call("POST", "/v1/services/enrol", JSON.stringify({ code: DOMICILE_CODE }));
    writeFileSync(SECRETS, JSON.stringify(answer), { mode: 0o600, flag: "wx" });
}
secrets = JSON.parse(readFileSync(SECRETS, "utf8"));
const webhook = new Webhook(secrets.webhook_secret);
await call("PUT", "/v1/services/self", JSON.stringify({
    version: 1, webhook_url: WEBHOOK_URL ?? null, can_export: true, can_erase: true,
}));

const handlers = {
    "test.ping": () => ["done", "pong"],
    "resource.trash": () => ["done", ""],
    "resource.restore": () => ["done", ""],
    "resource.purge": ({ data }) => {
        runs.splice(0, runs.length, ...runs.filter((run) => run.id !== data.resource));
        return ["done", ""];
    },
    "dsr.export": ({ subject }) => ["done", `${runs.filter((run) => run.owner === subject).length} runs`],
    "dsr.erase": ({ subject }) => {
        const own = runs.filter((run) => run.owner === subject);
        own.forEach((run) => runs.splice(runs.indexOf(run), 1));
        return ["done", `${own.length} runs`];
    },
};

async function work(command) {
    const [outcome, detail] = (handlers[command.type] ?? (() => ["failed", "unknown here"]))(command);
    await call("POST", `/v1/inbox/${command.id}/ack`, JSON.stringify({ outcome, detail }));
}

async function readInbox() {
    for (;;) {
        try {
            for (const command of (await call("GET", "/v1/inbox?wait=30")).commands) await work(command);
        } catch (error) {
            console.error(error.message);
            await new Promise((resolve) => setTimeout(resolve, 5000));
        }
    }
}

createServer(async (request, response) => {
    const end = (status) => response.writeHead(status, { "content-length": 0 }).end();
    let body = "";
    for await (const piece of request.setEncoding("utf8")) body += piece;
    if (request.url === "/domicile") {
        let command;
        try {
            command = webhook.verify(body, request.headers);
        } catch {
            return end(401);
        }
        return work(command).then(() => end(204), () => end(503));
    }
    const form = new URLSearchParams({ token: (request.headers.authorization ?? "").slice(7), scope: "datasets:write" });
    const person = await call("POST", "/v1/introspect", form.toString(), "application/x-www-form-urlencoded");
    if (!person.active || !person.granted) return end(401);
    const id = `run-${crypto.randomUUID()}`;
    const run = { workspace: person.workspace, type: "deployment", name: id, size: 0, version: 1 };
    await call("PUT", `/v1/resources/${id}`, JSON.stringify(run));
    runs.push({ id, owner: person.sub });
    const event = { source: "runs", id: crypto.randomUUID(), workspace: person.workspace, sku: "gpu.h100", quantity: "1",
        time: new Date().toISOString() };
    const { rejected } = await call("POST", "/v1/usage/events", JSON.stringify([event]));
    end(rejected.length ? 402 : 201);
}).listen(Number(PORT), "127.0.0.1");
if (!WEBHOOK_URL) readInbox();
