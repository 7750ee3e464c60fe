// What is decided before an upgrade.

import { errorRow } from "../error_table.ts";
import { BindingError, type BindingErrorCode } from "../errors.ts";
import { operationOutcome } from "../fhir/outcome.ts";
import { askHost, report } from "../host.ts";
import type { BindingSocket, Caller, SocketAdmission } from "../types.ts";
import { Session } from "./session.ts";
import type { BinderState } from "./state.ts";

type HeaderFields = Readonly<Record<string, string>>;

/** What else an answer says; seconds after which a client may try again. RFC 9110 §10.2.3, §11.6.1. */
const HEADERS: Partial<Record<BindingErrorCode, HeaderFields>> = {
  "unavailable": { "retry-after": "5" },
  "login-refused": { "www-authenticate": 'Bearer error="invalid_token"' },
};

/** Refuses an upgrade with an answer, or lets it go on. */
export async function admit(state: BinderState, request: Request): Promise<SocketAdmission> {
  try {
    return await judge(state, request);
  } catch (error) {
    if (!(error instanceof BindingError)) report(state.settings, { type: "error", during: "internal", cause: error });
    const code = error instanceof BindingError ? error.code : "internal";
    return refuse(code, errorRow(code).status, HEADERS[code]);
  }
}

/** @throws {BindingError} for what a callback of the host refuses or cannot tell. */
async function judge(state: BinderState, request: Request): Promise<SocketAdmission> {
  const { settings } = state;
  const url = new URL(request.url);
  if (url.pathname !== (pathOf(state) ?? url.pathname)) return refuse("no-route", 404);
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return refuse("method-not-allowed", 426, { upgrade: "websocket", connection: "Upgrade" });
  }
  const origin = request.headers.get("origin");
  if (origin !== null && !await askHost(settings, "authenticate", () => settings.mayConnect(origin))) {
    throw new BindingError("forbidden");
  }
  if (state.closing || state.sessions.size >= settings.limits.sockets) throw new BindingError("unavailable");
  const legacyCaller = await authenticateLegacy(state, request);
  const token = settings.tokenInUrl ? url.searchParams.get("token") ?? undefined : undefined;
  return { open: (socket) => open(state, socket, legacyCaller, token) };
}

function pathOf({ settings: { path, websocketUrl } }: BinderState): string | undefined {
  if (path !== undefined) return path;
  return typeof websocketUrl === "string" ? new URL(websocketUrl).pathname : undefined;
}

function refuse(code: BindingErrorCode, status: number, headers: HeaderFields = {}): SocketAdmission {
  return {
    refused: new Response(JSON.stringify(operationOutcome([{ code }])), {
      status,
      headers: { "content-type": "application/fhir+json; charset=utf-8", "cache-control": "no-store", ...headers },
    }),
  };
}

/**
 * Who R4's own `bind <id>` would be for. A request without credentials may still bind with a token.
 *
 * @throws {BindingError} `login-refused`, `unavailable`.
 */
async function authenticateLegacy({ settings }: BinderState, request: Request): Promise<Caller | undefined> {
  const { legacy } = settings;
  if (legacy === undefined) return undefined;
  const caller = await askHost(settings, "authenticate", () => legacy.authenticate(request));
  if (!caller && request.headers.has("authorization")) throw new BindingError("login-refused");
  return caller ?? undefined;
}

function open(
  state: BinderState,
  socket: BindingSocket,
  legacyCaller: Caller | undefined,
  token: string | undefined,
): Session {
  const session = new Session(state, socket, legacyCaller);
  if (state.closing) session.close(1001, "going away");
  else makeRoom(state, session);
  if (token !== undefined) session.enqueue(`bind-with-token ${token}`);
  return session;
}

/** A crowd of sockets that never bind pushes out its own oldest, not those who come to bind. */
function makeRoom({ settings, sessions, unbound }: BinderState, newest: Session): void {
  const { sockets, unboundSockets } = settings.limits;
  const [oldest] = unbound;
  if (unbound.size > unboundSockets) oldest?.drop(1013, "too many sockets without a binding");
  // Several may be admitted before any of them opens.
  else if (sessions.size > sockets) newest.drop(1013, "too many sockets");
}
