import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

const types: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".json": "application/json",
};

/** A web server with pages made by the tests before the files of the build. */
export class Site {
  readonly pages = new Map<string, { type: string; body: string; csp?: string }>();
  /** The Content-Security-Policy of the build's own pages. */
  csp = "";
  readonly #server: Server;

  constructor(private readonly dist: string) {
    this.#server = createServer((req, res) => {
      const path = new URL(req.url ?? "/", "http://site").pathname;
      const page = this.pages.get(path);
      // Hosted files are loaded by pages of other origins.
      res.setHeader("Access-Control-Allow-Origin", "*");
      if (page) {
        res.setHeader("Content-Type", page.type);
        if (page.csp) res.setHeader("Content-Security-Policy", page.csp);
        res.end(page.body);
        return;
      }
      readFile(join(this.dist, normalize(path))).then(
        (body) => {
          res.setHeader("Content-Type", types[extname(path)] ?? "application/octet-stream");
          if (path.endsWith(".html") && this.csp) {
            res.setHeader("Content-Security-Policy", this.csp);
          }
          res.end(body);
        },
        () => {
          res.statusCode = 404;
          res.end();
        },
      );
    });
  }

  async listen(port = 0): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  html(path: string, body: string, csp = ""): void {
    this.pages.set(path, {
      type: "text/html; charset=utf-8",
      body: `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Shop</title></head><body>${body}</body></html>`,
      csp,
    });
  }

  json(path: string, value: unknown): void {
    this.pages.set(path, { type: "application/json", body: JSON.stringify(value) });
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
