// A service in node: answers with the headers as CGI names them. node itself joins repeated ones.
import { createServer } from "node:http";

const server = createServer((request, response) => {
    const told = Object.entries(request.headers).map(([name, value]) => [`HTTP_${name.replace(/[^a-z0-9]/g, "_").toUpperCase()}`, value]);
    const body = JSON.stringify(Object.fromEntries(told));
    response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body), connection: "close" });
    response.end(body);
});
server.listen(Number(process.argv[2]), "127.0.0.1");
