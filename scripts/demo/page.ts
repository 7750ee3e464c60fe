// `GET /`: a page to watch it all live. Its files are served as they are, the library's client without its types.

import { readdir, readFile } from "node:fs/promises";
import { methodNotAllowed } from "./outcome.ts";
import { stripTypes } from "./strip_types.ts";

/** The page and what it loads. */
export interface Page {
  /**
   * Answers `/`, `/page/…` and `/client/…`; `undefined` for what is not there.
   *
   * @throws {Refusal} 405
   */
  answer(request: Request): Promise<Response | undefined>;
}

interface Served {
  readonly type: string;
  readonly body: string;
}

const FOLDER = new URL("./web/", import.meta.url);
const TYPES: Readonly<Record<string, string>> = {
  css: "text/css",
  js: "text/javascript",
  svg: "image/svg+xml",
};

/** Reads the page for a server that clients know by this origin. */
export async function createPage(origin: string): Promise<Page> {
  const files = await readFiles();
  const html = { type: "text/html", body: await readFile(new URL("index.html", FOLDER), "utf8") };
  const scripts = await hashImportMap(html.body);
  let client: Promise<ReadonlyMap<string, Served>> | undefined;

  async function find(path: string): Promise<Served | undefined> {
    if (path === "/") return html;
    const [, folder, name = "", ...more] = path.split("/");
    if (more.length > 0) return undefined;
    if (folder === "page") return files.get(name);
    // At the first request, because Node warns of taking types away.
    return folder === "client" ? (await (client ??= readClient())).get(nameOf(name)) : undefined;
  }

  return {
    async answer(request) {
      const { pathname, host } = new URL(request.url);
      const found = await find(pathname);
      if (found === undefined) return undefined;
      if (request.method !== "GET" && request.method !== "HEAD") throw methodNotAllowed("GET, HEAD, OPTIONS");
      const headers = {
        "content-type": `${found.type}; charset=utf-8`,
        "content-security-policy": policy(scripts, [host, new URL(origin).host]),
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
      };
      return new Response(found.body, { headers });
    },
  };
}

/**
 * Nothing but what this server serves, and its sockets: they are where the request came to, or where the server says
 * that it is. Not every browser takes `'self'` for those as well.
 */
function policy(scripts: string, hosts: readonly string[]): string {
  // A Host header is the client's, and could hold a semicolon.
  const known = [...new Set(hosts)].filter((host) => /^[a-z0-9.:[\]-]+$/i.test(host));
  return [
    "default-src 'none'",
    `script-src 'self' ${scripts}`,
    "style-src 'self'",
    "img-src 'self'",
    ["connect-src 'self'", ...known.flatMap((host) => [`ws://${host}`, `wss://${host}`])].join(" "),
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

/** An import map stands in the page itself, and is a script to the policy. */
async function hashImportMap(html: string): Promise<string> {
  const [, text = ""] = /<script type="importmap">([^]*?)<\/script>/.exec(html) ?? [];
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return `'sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}'`;
}

async function readFiles(): Promise<ReadonlyMap<string, Served>> {
  const names = (await readdir(FOLDER)).filter((name) => TYPES[name.replace(/.*\./, "")] !== undefined);
  return new Map(
    await Promise.all(names.map(async (name) => {
      const type = TYPES[name.replace(/.*\./, "")] ?? "";
      return [name, { type, body: await readFile(new URL(name, FOLDER), "utf8") }] as const;
    })),
  );
}

/** The modules of `@fhir-ws/binding/client` by their names without an ending: TypeScript here, JavaScript from npm. */
async function readClient(): Promise<ReadonlyMap<string, Served>> {
  const folder = new URL(".", import.meta.resolve("@fhir-ws/binding/client"));
  const names = (await readdir(folder)).filter((name) => /(?<!\.d)\.[jt]s$/.test(name));
  return new Map(
    await Promise.all(names.map(async (name) => {
      const source = await readFile(new URL(name, folder), "utf8");
      const body = name.endsWith(".ts") ? stripTypes(source) : source;
      return [nameOf(name), { type: "text/javascript", body }] as const;
    })),
  );
}

function nameOf(file: string): string {
  return file.replace(/\.[jt]s$/, "");
}
