// `GET /`: what is served here and how to try it.

import { methodNotAllowed } from "./outcome.ts";

/** The one page. */
export interface Page {
  /** @throws {Refusal} 405 */
  answer(request: Request): Response;
}

const STYLE = `
  :root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
  body { max-width: 46rem; margin: 0 auto; padding: 1.5rem 1rem }
  h1, h2 { line-height: 1.2 }
  pre { overflow-x: auto; padding: .75rem 1rem; border: 1px solid; border-radius: .4rem }
  code { font-family: ui-monospace, monospace; font-size: .9em }
`;

/** Renders the page for the origin under which clients know the server. */
export async function createPage(origin: string): Promise<Page> {
  const html = render(escapeHtml(origin), escapeHtml(origin.replace(/^http/, "ws")));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(STYLE));
  const hash = btoa(String.fromCharCode(...new Uint8Array(digest)));
  const headers = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy":
      `default-src 'none'; style-src 'sha256-${hash}'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  };
  return {
    answer(request) {
      if (request.method !== "GET" && request.method !== "HEAD") throw methodNotAllowed("GET, HEAD, OPTIONS");
      return new Response(html, { headers });
    },
  };
}

function render(origin: string, sockets: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Demo of @fhir-ws/binding</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<h1>FHIR Subscriptions over WebSocket</h1>
<p>This server shows the operation <code>Subscription/$get-ws-binding-token</code> and the sockets that its tokens open.
Its two users and their secrets are public: keep real data out of it.</p>

<h2>What is served</h2>
<ul>
<li>FHIR at <code>${origin}/fhir/R4</code>, <code>/fhir/R4B</code> and <code>/fhir/R5</code>: <code>metadata</code>;
create, read, update and delete of any resource type, as JSON; the operation, by GET and POST, for one Subscription or
several. A resource is seen by nobody but its creator.</li>
<li>Sockets at <code>${sockets}/ws/subscriptions-r4</code>, <code>-r4b</code> and <code>-r5</code>.</li>
<li>Access tokens at <code>${origin}/oauth2/token</code>, grant <code>client_credentials</code>, for
<code>alice</code> (<code>alice-secret</code>) and <code>bob</code> (<code>bob-secret</code>).</li>
</ul>

<h2>Try it</h2>
<p>Sign in:</p>
<pre><code>TOKEN=$(curl -s ${origin}/oauth2/token \\
  -d grant_type=client_credentials -d client_id=alice -d client_secret=alice-secret \\
  | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')</code></pre>
<p>Subscribe to every change of a Patient:</p>
<pre><code>curl -s -X PUT ${origin}/fhir/R4/Subscription/s1 \\
  -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/fhir+json' -d '{
  "resourceType": "Subscription", "id": "s1", "status": "requested", "reason": "a try",
  "criteria": "http://example.org/SubscriptionTopic/Patient", "channel": { "type": "websocket" } }'</code></pre>
<p>Ask for a binding token:</p>
<pre><code>curl -s "${origin}/fhir/R4/Subscription/s1/\\$get-ws-binding-token" \\
  -H "Authorization: Bearer $TOKEN"</code></pre>
<p>Connect with any WebSocket client and send <code>bind-with-token</code>, a space and that token. The handshake comes
back, and then one notification for each change, such as:</p>
<pre><code>curl -s ${origin}/fhir/R4/Patient -H "Authorization: Bearer $TOKEN" \\
  -H 'Content-Type: application/fhir+json' -d '{ "resourceType": "Patient", "active": true }'</code></pre>
<p>In R4 and R4B <code>criteria</code> may also be a search such as <code>Patient?active=true</code>, which compares
top-level elements with their text; in R5 the topic is in <code>topic</code>, the channel in
<code>channelType</code>.</p>
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
