// What is decided before an upgrade.

import { BindingError, errorRow } from "../errors.ts";
import { operationOutcome } from "../fhir/outcome.ts";
import { askHost } from "../host.ts";
import type { BindingSocket, Caller, SocketAdmission } from "../types.ts";
import { Session } from "./session.ts";
import type { BinderState } from "./state.ts";

/** Seconds after which a client may try again. */
const RETRY_AFTER = "5";

/** Refuses an upgrade with an answer, or lets it go on. */
export async function admit(state: BinderState, request: Request): Promise<SocketAdmission> {
  const { settings } = state;
  const url = new URL(request.url);
  if (url.pathname !== (pathOf(state) ?? url.pathname)) return refuse("no-route", 404);
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return refuse("method-not-allowed", 426, { upgrade: "websocket", connection: "Upgrade" });
  }
  const origin = request.headers.get("origin");
  if (origin !== null && !settings.mayConnect(origin)) return refuse("forbidden", 403);
  if (state.closing || state.sessions.size >= settings.limits.sockets) {
    return refuse("unavailable", 503, { "retry-after": RETRY_AFTER });
  }
  try {
    const legacyCaller = await authenticateLegacy(state, request);
    const token = settings.tokenInUrl ? url.searchParams.get("token") ?? undefined : undefined;
    return { open: (socket) => open(state, socket, legacyCaller, token) };
  } catch (error) {
    const code = error instanceof BindingError ? error.code : "internal";
    return refuse(code, errorRow(code).status, code === "unavailable" ? { "retry-after": RETRY_AFTER } : {});
  }
}

function pathOf({ settings: { path, websocketUrl } }: BinderState): string | undefined {
  if (path !== undefined) return path;
  return typeof websocketUrl === "string" ? new URL(websocketUrl).pathname : undefined;
}

function refuse(
  code: Parameters<typeof errorRow>[0],
  status: number,
  headers: Readonly<Record<string, string>> = {},
): SocketAdmission {
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
  evictOldest(state);
  if (token !== undefined) session.enqueue(`bind-with-token ${token}`);
  return session;
}

/** A crowd of sockets that never bind pushes out its own oldest, not those who come to bind. */
function evictOldest(state: BinderState): void {
  if (state.unbound.size <= state.settings.limits.unboundSockets) return;
  for (const oldest of state.unbound) return oldest.drop(1013, "too many sockets without a binding");
}
