/**
 * A small FHIR server that shows what the library does, as one Fetch handler: no runtime is touched but `node:sqlite`,
 * which Deno, Node and Bun all have.
 *
 * @module
 */
import {
  createJwtSigner,
  createOpaqueSigner,
  type FhirVersion,
  type SocketAdmission,
  type SocketBinder,
  type TokenSigner,
  type TokenStore,
} from "@fhir-ws/binding";
import { createMemoryBus } from "@fhir-ws/binding/storage/memory";
import { createSqliteEventLog, createSqliteTokenStore } from "@fhir-ws/binding/storage/sqlite";
import { createAccessTokens } from "./access_token.ts";
import { type Base, createBase } from "./base.ts";
import { allowOrigin, preflight } from "./cors.ts";
import { openDatabase, secret } from "./database.ts";
import { createOAuth, type OAuth } from "./oauth.ts";
import type { DemoOptions } from "./options.ts";
import { notFound, Refusal, refusalResponse } from "./outcome.ts";
import { createPage, type Page } from "./page.ts";
import { answerRevocation, type RevocationParts } from "./revocation.ts";

/** What `createDemo` wants to know. */
export interface DemoSettings extends Omit<DemoOptions, "host" | "port" | "publicUrl"> {
  /** What clients put before `/fhir/R4`, without a slash at its end. */
  readonly origin: string;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
  /** Told of what goes wrong inside. Default: `console.error`. */
  readonly onError?: (cause: unknown) => void;
}

/** The server without its listener. */
export interface Demo {
  /** Answers everything but upgrades. It never rejects. */
  fetch(request: Request): Promise<Response>;
  /** The word on an upgrade of the binder at that path: this makes one binder of all, for a server adapter. */
  admit(request: Request): Promise<SocketAdmission>;
  /** The binders by the path of their sockets. */
  readonly sockets: ReadonlyMap<string, SocketBinder>;
  /** Closes all sockets with 1001, then the database. */
  close(): Promise<void>;
}

/** Whether the path of a request is one for sockets, where nothing else is served. */
export function isSocketRequest(request: Request): boolean {
  return URL.parse(request.url)?.pathname.startsWith("/ws/") ?? false;
}

const VERSIONS: readonly FhirVersion[] = ["R4", "R4B", "R5"];

/** Opens the database and builds the server. */
export async function createDemo(settings: DemoSettings): Promise<Demo> {
  const { origin, now = Date.now, onError = console.error } = settings;
  const db = openDatabase(settings.db);
  const tokenStore = createSqliteTokenStore(db, { now });
  const accessTokens = await createAccessTokens(secret(db, "access-token"), now);
  const oauth = createOAuth(accessTokens);
  const shared = {
    ...settings,
    db,
    oauth,
    tokenStore,
    tokens: await createSigner(settings, tokenStore, secret(db, "binding-token")),
    events: createSqliteEventLog(db, { now }),
    bus: createMemoryBus(),
    now,
    onError,
  };
  const bases = new Map(VERSIONS.map((version) => [version as string, createBase(version, shared)]));
  const sockets = new Map([...bases.values()].map(({ socketPath, binder }) => [socketPath, binder]));
  const notifiers = new Map([...bases.values()].map(({ base, notifier }) => [base, notifier]));
  const revocation = { oauth, tokens: shared.tokens, notifiers, now };
  const route = createRouter({ bases, oauth, revocation, page: await createPage(origin), admit });

  async function admit(request: Request): Promise<SocketAdmission> {
    const binder = sockets.get(new URL(request.url).pathname);
    return await binder?.admit(request) ?? { refused: refusalResponse(notFound()) };
  }

  return {
    sockets,
    admit,
    async fetch(request) {
      const response = request.method === "OPTIONS" ? preflight(request) : await answer(request, route, onError);
      return allowOrigin(request, response);
    },
    async close() {
      await Promise.all([...sockets.values()].map((binder) => binder.close()));
      db.close();
    },
  };
}

/** One key for all bases: the token says for which of them it is. */
async function createSigner(
  { tokens, singleUse }: DemoSettings,
  store: TokenStore,
  key: Uint8Array,
): Promise<TokenSigner> {
  if (tokens === "opaque") return createOpaqueSigner({ store, singleUse });
  return await createJwtSigner({ sign: { kid: "demo", key }, store, singleUse });
}

type Route = (request: Request) => Promise<Response>;

function createRouter({ bases, oauth, revocation, page, admit }: {
  readonly bases: ReadonlyMap<string, Base>;
  readonly oauth: OAuth;
  readonly revocation: RevocationParts;
  readonly page: Page;
  readonly admit: Demo["admit"];
}): Route {
  return async (request) => {
    // Deno takes any Host header into the URL.
    const { pathname } = URL.parse(request.url) ?? malformed();
    if (pathname === "/oauth2/token") return await oauth.token(request);
    if (pathname === "/oauth2/revoke") return await answerRevocation(request, revocation);
    if (pathname === "/auth/me") return await oauth.me(request);
    if (isSocketRequest(request)) return (await admit(request)).refused ?? upgradeRequired();
    const [, fhir, version = "", ...segments] = pathname.split("/");
    const base = fhir === "fhir" && segments.length > 0 ? bases.get(version) : undefined;
    if (base !== undefined) return await base.fetch(request, segments.map(decode));
    const shown = await page.answer(request);
    if (shown !== undefined) return shown;
    await oauth.requireUser(request);
    throw notFound();
  };
}

/** The one place where a refusal or a mistake of ours becomes an answer. */
async function answer(request: Request, route: Route, onError: (cause: unknown) => void): Promise<Response> {
  const response = await route(request).catch((error) => {
    if (!(error instanceof Refusal)) onError(error);
    return refusalResponse(error instanceof Refusal ? error : new Refusal(500, "exception", "Unexpected error"));
  });
  return request.method === "HEAD" ? new Response(null, response) : response;
}

/** What cannot be decoded is no id, and no type either. */
function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return "%";
  }
}

function malformed(): never {
  throw new Refusal(400, "structure", "Cannot read the request: its target or Host is malformed");
}

function upgradeRequired(): Response {
  return refusalResponse(
    new Refusal(426, "not-supported", "A WebSocket is served here", { connection: "Upgrade", upgrade: "websocket" }),
  );
}
