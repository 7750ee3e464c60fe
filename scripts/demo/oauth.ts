// Just enough OAuth: the client_credentials grant (RFC 6749 §4.4), and who the Medplum client thinks it is.

import type { AccessTokens } from "./access_token.ts";
import { oauthError, readForm } from "./form.ts";
import { jsonResponse, methodNotAllowed, Refusal } from "./outcome.ts";
import { checkSecret, findUser, type User } from "./users.ts";

/** Seconds. */
const LIFETIME = 3600;

/** The login of the demo. */
export interface OAuth {
  /** `POST /oauth2/token` */
  token(request: Request): Promise<Response>;
  /** `GET /auth/me` */
  me(request: Request): Promise<Response>;
  /** Whose access token a request carries, if anybody's. */
  user(request: Request): Promise<User | undefined>;
  /** @throws {Refusal} 401 */
  requireUser(request: Request): Promise<User>;
}

interface Credentials {
  readonly id: string;
  readonly secret: string;
  /** Whether they came by HTTP Basic, which wants to be challenged by its name. */
  readonly basic: boolean;
}

/** Builds the login upon its tokens. */
export function createOAuth(tokens: AccessTokens): OAuth {
  const user = async (request: Request): Promise<User | undefined> => {
    const [, token] = /^Bearer +([A-Za-z0-9\-._~+/]+=*)$/i.exec(request.headers.get("authorization") ?? "") ?? [];
    const id = token && await tokens.verify(token);
    return id ? findUser(id) : undefined;
  };
  const requireUser = async (request: Request): Promise<User> => await user(request) ?? unauthorized(request);
  return {
    user,
    requireUser,
    async token(request) {
      if (request.method !== "POST") throw methodNotAllowed("POST, OPTIONS");
      const form = await readForm(request, "grant_type");
      if (typeof form === "string") return oauthError("invalid_request", form);
      const credentials = readCredentials(request, form);
      if (typeof credentials === "string") return oauthError("invalid_request", credentials);
      const client = await checkSecret(credentials.id, credentials.secret);
      if (client === undefined) return invalidClient(credentials.basic);
      if (form.get("grant_type") !== "client_credentials") {
        return oauthError("unsupported_grant_type", "Only client_credentials is served here");
      }
      return jsonResponse({
        access_token: await tokens.issue(client.id, LIFETIME),
        token_type: "Bearer",
        expires_in: LIFETIME,
        project: { reference: "Project/demo", display: "Demo" },
        profile: { reference: `Practitioner/${client.id}`, display: client.name },
      }, { type: "application/json" });
    },
    async me(request) {
      if (request.method !== "GET" && request.method !== "HEAD") throw methodNotAllowed("GET, HEAD, OPTIONS");
      return jsonResponse(describeLogin(await requireUser(request)), { type: "application/json" });
    },
  };
}

/** The members that the Medplum client reads. */
function describeLogin({ id, name }: User): Record<string, unknown> {
  return {
    project: { resourceType: "Project", id: "demo", name: "Demo", features: ["websocket-subscriptions"] },
    membership: {
      resourceType: "ProjectMembership",
      id,
      project: { reference: "Project/demo" },
      user: { reference: `User/${id}` },
      profile: { reference: `Practitioner/${id}` },
    },
    profile: { resourceType: "Practitioner", id, name: [{ text: name, given: [name] }] },
    config: { resourceType: "UserConfiguration" },
    accessPolicy: { resourceType: "AccessPolicy" },
  };
}

/** RFC 6749 §2.3.1: by Basic or in the form, not both. */
function readCredentials(request: Request, form: URLSearchParams): Credentials | string {
  const authorization = request.headers.get("authorization");
  if (authorization === null) {
    return { id: form.get("client_id") ?? "", secret: form.get("client_secret") ?? "", basic: false };
  }
  if (form.has("client_secret")) return "The client authenticates in more than one way";
  return { ...readBasic(authorization) ?? { id: "", secret: "" }, basic: true };
}

function readBasic(authorization: string): { id: string; secret: string } | undefined {
  const [, encoded = ""] = /^Basic +(\S+)$/i.exec(authorization) ?? [];
  try {
    const [id = "", ...secret] = atob(encoded).split(":");
    return { id: decodeURIComponent(id), secret: decodeURIComponent(secret.join(":")) };
  } catch {
    return undefined; // not base64, or not percent-encoded as RFC 6749 wants it
  }
}

function invalidClient(basic: boolean): Response {
  return oauthError("invalid_client", "The client is not known or its secret is wrong", {
    status: 401,
    ...(basic && { headers: { "www-authenticate": `Basic realm="demo"` } }),
  });
}

function unauthorized(request: Request): never {
  throw request.headers.has("authorization")
    ? new Refusal(401, "unknown", "The credentials were not accepted", {
      "www-authenticate": `Bearer error="invalid_token"`,
    })
    : new Refusal(401, "login", "Authentication is required", { "www-authenticate": "Bearer" });
}
