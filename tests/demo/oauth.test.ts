import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { describe, it } from "node:test";
import { credentials, object, post, refusal, withDemo } from "./running.ts";

describe("POST /oauth2/token", () => {
  for (const user of ["alice", "bob"]) {
    it(`issues ${user} an access token that names the login, the client and its end`, () =>
      withDemo(async ({ demo, now }) => {
        const { status, headers, json } = await post(demo, credentials(user));
        assertEquals(status, 200);
        assertEquals(headers.get("cache-control"), "no-store");
        assertMatch(headers.get("content-type") ?? "", /^application\/json/);
        assertEquals([json.token_type, json.expires_in], ["Bearer", 3600]);
        assertEquals(object(json.project).reference, "Project/demo");
        assertEquals(object(json.profile).reference, `Practitioner/${user}`);
        const [, payload = ""] = String(json.access_token).split(".");
        const claims = object(JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/"))));
        assertEquals(claims.client_id, user);
        assertEquals(typeof claims.login_id, "string");
        assertEquals(claims.exp, Math.floor(now() / 1000) + 3600);
      }));
  }

  it("gives each login an id of its own", () =>
    withDemo(async ({ demo }) => {
      const [one, two] = [await post(demo, credentials("alice")), await post(demo, credentials("alice"))];
      assertNotEquals(one.json.access_token, two.json.access_token);
    }));

  it("accepts HTTP Basic in place of the form's credentials", () =>
    withDemo(async ({ demo, send }) => {
      const authorization = `Basic ${btoa("alice:alice-secret")}`;
      const { status, json } = await post(demo, { grant_type: "client_credentials" }, { authorization });
      assertEquals(status, 200);
      const headers = { authorization: `Bearer ${json.access_token}` };
      assertEquals((await send({ path: "/auth/me", headers })).status, 200);
    }));

  for (
    const [what, form] of [
      ["a wrong secret", credentials("alice", "bob-secret")],
      ["an empty secret", credentials("alice", "")],
      ["an unknown client", credentials("carol")],
      ["an unknown client without a secret", credentials("carol", "")],
      ["no client at all", { grant_type: "client_credentials" }],
      ["a member that every object has", credentials("constructor", "")],
    ] as const
  ) {
    it(`answers ${what} 401 invalid_client`, () =>
      withDemo(async ({ demo }) => {
        const { status, headers, json } = await post(demo, form);
        assertEquals([status, json.error], [401, "invalid_client"]);
        assertEquals(headers.get("www-authenticate"), null);
      }));
  }

  for (const basic of [btoa("alice:bob-secret"), btoa("alice"), btoa("%:%"), "!"]) {
    it(`challenges a client whose Basic "${basic}" is refused`, () =>
      withDemo(async ({ demo }) => {
        const authorization = `Basic ${basic}`;
        const { status, headers, json } = await post(demo, { grant_type: "client_credentials" }, { authorization });
        assertEquals([status, json.error], [401, "invalid_client"]);
        assertMatch(headers.get("www-authenticate") ?? "", /^Basic /);
      }));
  }

  for (
    const [what, form, error] of [
      ["another grant", { ...credentials("alice"), grant_type: "password" }, "unsupported_grant_type"],
      ["no grant", { client_id: "alice", client_secret: "alice-secret" }, "invalid_request"],
      ["a repeated parameter", "grant_type=client_credentials&grant_type=x", "invalid_request"],
      ["a form without end", `grant_type=${"x".repeat(10_000)}`, "invalid_request"],
    ] as const
  ) {
    it(`answers ${what} 400 ${error}`, () =>
      withDemo(async ({ demo }) => {
        const { status, json } = await post(demo, form);
        assertEquals([status, json.error], [400, error]);
      }));
  }

  it("answers two ways of authenticating 400 invalid_request", () =>
    withDemo(async ({ demo }) => {
      const authorization = `Basic ${btoa("alice:alice-secret")}`;
      const { status, json } = await post(demo, credentials("alice"), { authorization });
      assertEquals([status, json.error], [400, "invalid_request"]);
    }));

  it("answers what is no form 400, and what is no POST 405", () =>
    withDemo(async ({ demo, send }) => {
      const json = await post(demo, "{}", { "content-type": "application/json" });
      assertEquals([json.status, json.json.error], [400, "invalid_request"]);
      const get = await send({ path: "/oauth2/token" });
      assertEquals([get.status, get.headers.get("allow")], [405, "POST, OPTIONS"]);
    }));
});

describe("GET /auth/me", () => {
  it("tells the Medplum client who it is and that it may subscribe", () =>
    withDemo(async ({ send }) => {
      const { status, headers, json } = await send({ path: "/auth/me", user: "bob" });
      assertEquals(status, 200);
      assertMatch(headers.get("content-type") ?? "", /json/);
      assertEquals(object(json.project).features, ["websocket-subscriptions"]);
      assertEquals(object(json.profile).resourceType, "Practitioner");
      assertEquals(object(json.profile).id, "bob");
      for (const name of ["membership", "config", "accessPolicy"]) object(json[name]);
    }));

  it("answers 401 when nobody is signed in, 405 for another method", () =>
    withDemo(async ({ send }) => {
      assertEquals(refusal(await send({ path: "/auth/me" })), [401, "login", "Authentication is required"]);
      assertEquals((await send({ path: "/auth/me", method: "POST" })).status, 405);
    }));
});

describe("access tokens", () => {
  const refused = [401, "unknown", "The credentials were not accepted"];

  it("are refused once they have expired", () =>
    withDemo(async ({ login, send, pass }) => {
      const headers = { authorization: `Bearer ${await login("alice")}` };
      pass(3599);
      assertEquals((await send({ path: "/auth/me", headers })).status, 200);
      pass(1);
      const late = await send({ path: "/auth/me", headers });
      assertEquals(refusal(late), refused);
      assertEquals(late.headers.get("www-authenticate"), 'Bearer error="invalid_token"');
    }));

  it("are refused when they were tampered with", () =>
    withDemo(async ({ login, send }) => {
      const token = await login("alice");
      const [header = "", payload = "", signature = ""] = token.split(".");
      const none = btoa('{"alg":"none","typ":"at+jwt"}').replace(/=+$/, "");
      const bob = btoa(atob(payload.replaceAll("-", "+").replaceAll("_", "/")).replaceAll("alice", "bobby"))
        .replace(/=+$/, "");
      for (
        const bad of [
          `${none}.${payload}.`,
          `${none}.${payload}.${signature}`,
          `${header}.${bob}.${signature}`,
          `${header}.${payload}`,
          `${header}.${payload}.`,
          `${header}.${payload}.${signature}x`,
          `${header}.${payload}.${signature}=`,
          `${token}.x`,
          `x${token}`,
          "x".repeat(100_000),
          "",
        ]
      ) {
        const headers = { authorization: `Bearer ${bad}` };
        assertEquals(refusal(await send({ path: "/auth/me", headers })), refused, bad);
      }
    }));

  it("are refused in any scheme but Bearer, which is read in any case", () =>
    withDemo(async ({ login, send }) => {
      const token = await login("alice");
      for (const scheme of ["Bearer", "bearer", "BEARER "]) {
        const headers = { authorization: `${scheme} ${token}` };
        assertEquals((await send({ path: "/auth/me", headers })).status, 200, scheme);
      }
      for (const authorization of [`Basic ${btoa("alice:alice-secret")}`, token, `Token ${token}`]) {
        assertEquals(refusal(await send({ path: "/auth/me", headers: { authorization } })), refused);
      }
    }));
});
