// Real providers for a test: on loopback, on a free port, controlled by lines of JSON, which they answer with lines of
// JSON.
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import path from "node:path";
import readline from "node:readline";
import { pathToFileURL } from "node:url";

const tools = path.join(import.meta.dirname, "../tools/node_modules");

/** Loads a package of `tests/tools` by its entry file. */
export const load = async (file) => {
  const full = path.join(tools, file);
  if (!fs.existsSync(full)) {
    console.error(`this test needs ${file}, which is not here. Run: ./dev tools`);
    process.exit(1);
  }
  return import(pathToFileURL(full));
};

// Some of the packages would listen on every interface.
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...rest) {
  return typeof port === "number" || typeof port === "string"
    ? listen.call(this, Number(port), "127.0.0.1", ...rest.filter((one) => typeof one === "function"))
    : listen.call(this, port, ...rest);
};

/** Starts a server on a free port. */
export const serve = (handler) =>
  new Promise((resolve) => {
    const server = http.createServer(handler);
    server.listen(0, () => resolve({ server, port: server.address().port }));
  });

/** A port that was free a moment ago. */
export const freePort = async () => {
  const { server, port } = await serve(() => {});
  await new Promise((resolve) => server.close(resolve));
  return port;
};

const readAll = async (stream) => {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
};

/** A proxy for the server at `port()`. It records every request in `seen`. */
export const recorder = async (port, seen) =>
  serve(async (request, response) => {
    const body = await readAll(request);
    seen.push({ path: new URL(request.url, "http://x").pathname, method: request.method, body: body.toString() });
    const options = { host: "127.0.0.1", port: port(), path: request.url, method: request.method, headers: request.headers };
    const forwarded = http.request(options, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    forwarded.on("error", () => response.destroy());
    forwarded.end(body);
  });

/** Prints `ready`, then answers each line of the input until it ends. */
export const converse = async (ready, answer) => {
  console.log(JSON.stringify(ready));
  for await (const line of readline.createInterface({ input: process.stdin })) {
    console.log(JSON.stringify((await answer(JSON.parse(line))) ?? {}));
  }
  process.exit(0);
};
