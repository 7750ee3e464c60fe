// A request of node:http as Fetch sees it; both the upgrade and the bridge start here.

/** As much of `http.IncomingMessage` as is used. */
export interface NodeRequest {
  /** HTTP method. */
  readonly method?: string | undefined;
  /** Path and query. */
  url?: string | undefined;
  /** Names and values in turn, as they were sent. */
  readonly rawHeaders: readonly string[];
  /** 1 or 2. */
  readonly httpVersionMajor: number;
  /** Whether the body was read to its end. */
  readonly readableEnded: boolean;
  /** A TLS socket says so by `encrypted`. */
  readonly socket: object;
  /** Listens to an event. */
  on(event: string, listener: (value: Uint8Array) => void): unknown;
  /** Stops the body from flowing. */
  pause(): unknown;
  /** Lets the body flow. */
  resume(): unknown;
}

/**
 * The Fetch request, or `undefined` when there is none for it: a malformed `Host` or target, or a method that Fetch
 * forbids. Behind a proxy its URL says what the proxy asked for.
 */
export function toRequest(incoming: NodeRequest, init: RequestInit = {}): Request | undefined {
  const { method = "GET" } = incoming;
  if (FORBIDDEN.includes(method)) return undefined;
  try {
    const headers = headersOf(incoming);
    return new Request(urlOf(incoming, headers), { method, headers, ...init });
  } catch {
    return undefined; // the client's fault, and all that the caller wants to know
  }
}

/** https://fetch.spec.whatwg.org/#forbidden-method; not every runtime refuses them by itself. */
const FORBIDDEN: readonly string[] = ["CONNECT", "TRACE", "TRACK"];

function headersOf({ rawHeaders }: NodeRequest): Headers {
  const headers = new Headers();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = "", value = ""] = rawHeaders.slice(at, at + 2);
    if (name === ":authority") headers.set("host", value);
    else if (!name.startsWith(":")) headers.append(name, value); // HTTP/2 says the rest of its start line this way
  }
  return headers;
}

function urlOf({ url = "", socket }: NodeRequest, headers: Headers): string {
  const scheme = (socket as { encrypted?: unknown }).encrypted ? "https" : "http"; // only a TLS socket has it
  // The absolute form makes Host void: RFC 9112 section 3.2.2. HTTP/1.0 may leave it out.
  const [, absolute, rest = url] = /^https?:\/\/([^/?]*)(.*)$/is.exec(url) ?? [];
  const host = absolute ?? headers.get("host") ?? "localhost";
  // Whatever could begin a path, a query, credentials or a second value would move the rest of the URL.
  if (!/^[^\s/\\?#@,]+$/.test(host) || (absolute === undefined && !rest.startsWith("/"))) {
    throw new TypeError("Cannot read the request target");
  }
  return `${scheme}://${host}${rest}`;
}
