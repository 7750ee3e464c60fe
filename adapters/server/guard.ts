// What every server adapter does the same way: ask the binder, start the session, and let nothing escape into a runtime
// that would end the process for it.

import type { BindingSocket, SocketAdmission, SocketBinder, SocketSession } from "../../src/types.ts";

/** Where an adapter reports what must not happen: a binder or handler that throws. */
export type ErrorReporter = ((cause: unknown) => void) | undefined;

const MAX_REASON_BYTES = 123; // RFC 6455 section 5.5: 125 bytes of a control frame, two of them for the code

/** The codes that this library closes with; a runtime throws at some others. */
const CLOSE_CODES: readonly number[] = [1000, 1001, 1003, 1008, 1009, 1011, 1013];

/**
 * The binder's word on an upgrade; a binder that fails refuses with a bare 500. Some runtimes make the URL of whatever
 * the `Host` header says: one that is none is the client's fault, and nothing that a binder could read.
 */
export async function askBinder(
  binder: Pick<SocketBinder, "admit">,
  request: Request,
  onError: ErrorReporter,
): Promise<SocketAdmission> {
  if (!URL.canParse(request.url)) return { refused: new Response(null, { status: 400 }) };
  try {
    return await binder.admit(request);
  } catch (cause) {
    tell(onError, cause);
    return { refused: new Response(null, { status: 500 }) };
  }
}

/** Starts the session of an upgraded socket, or closes it with 1011. The session hears of the end once. */
export function openSession(
  admission: Exclude<SocketAdmission, { refused: Response }>,
  socket: BindingSocket,
  onError: ErrorReporter,
): SocketSession | undefined {
  try {
    return once(admission.open(socket));
  } catch (cause) {
    tell(onError, cause);
    socket.close(1011);
    return undefined;
  }
}

/** A code and reason that every runtime takes: a reason too long loses its end, an unknown code says "our bug". */
export function closeFrame(code = 1000, reason = ""): [code: number, reason: string] {
  return [CLOSE_CODES.includes(code) ? code : 1011, cutReason(reason)];
}

/** Reports an error; the reporter's own are dropped, because there is nobody left to tell. */
export function tell(onError: ErrorReporter, cause: unknown): void {
  try {
    onError?.(cause);
  } catch {
    // See above.
  }
}

function once(session: SocketSession): SocketSession {
  let open = true;
  return {
    receive: (data) => open ? session.receive(data) : undefined,
    drained: () => open ? session.drained() : undefined,
    alive: () => open ? session.alive() : undefined,
    closed: () => {
      if (!open) return;
      open = false;
      session.closed();
    },
  };
}

function cutReason(reason: string): string {
  const bytes = new TextEncoder().encode(reason);
  if (bytes.length <= MAX_REASON_BYTES) return reason;
  // Not fatal, and "stream": a character that the cut has split is left out instead of replaced.
  return new TextDecoder().decode(bytes.subarray(0, MAX_REASON_BYTES), { stream: true });
}
