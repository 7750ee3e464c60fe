// CORS for clients in browsers: https://fetch.spec.whatwg.org/#http-cors-protocol
// Any origin may ask, with credentials, because no cookie is ever looked at: the bearer token alone authorises.

const EXPOSED = "content-location, etag, last-modified, location, ratelimit, retry-after, www-authenticate";
const METHODS = "GET, HEAD, POST, PUT, DELETE, OPTIONS";

/** The answer to OPTIONS, preflight or not. */
export function preflight(request: Request): Response {
  const response = new Response(null, { status: 204, headers: { allow: METHODS } });
  if (!request.headers.has("access-control-request-method")) return response;
  const wanted = request.headers.get("access-control-request-headers");
  response.headers.set("access-control-allow-methods", METHODS);
  // A wildcard would not count beside credentials, and would not cover Authorization.
  response.headers.set("access-control-allow-headers", wanted ?? "accept, authorization, content-type, x-medplum");
  response.headers.set("access-control-max-age", "600");
  return response;
}

/** Lets the page that asked read the answer. */
export function allowOrigin(request: Request, response: Response): Response {
  response.headers.append("vary", "Origin");
  const origin = request.headers.get("origin");
  if (origin === null) return response;
  response.headers.set("access-control-allow-origin", origin);
  response.headers.set("access-control-allow-credentials", "true");
  response.headers.set("access-control-expose-headers", EXPOSED);
  return response;
}
