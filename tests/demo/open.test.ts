import { assert, assertEquals, assertFalse, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { describe, it } from "node:test";
import { ORIGIN, post, withDemo } from "./running.ts";
import { upgradeRequest } from "./sockets.ts";

const PAGE_ORIGIN = "https://app.example.org";

describe("GET /", () => {
  it("is a page that runs nothing but what this server serves", () =>
    withDemo(async ({ send }) => {
      const { status, headers, text } = await send({ path: "/" });
      assertEquals(status, 200);
      assertEquals(headers.get("content-type"), "text/html; charset=utf-8");
      assertEquals(headers.get("x-content-type-options"), "nosniff");
      const policy = headers.get("content-security-policy") ?? "";
      assertMatch(policy, /^default-src 'none'; script-src 'self' 'sha256-[A-Za-z0-9+/]{43}='; style-src 'self';/);
      assertFalse(policy.includes("unsafe"));
      assertFalse(/<style|\s(?:on[a-z]+|style)=|javascript:|https?:\/\//i.test(text));
      for (const path of ["/fhir/R4", "/oauth2/token", "/ws/subscriptions-r4"]) assertStringIncludes(text, path);
    }));

  it("names the import map by its digest", () =>
    withDemo(async ({ send }) => {
      const { headers, text } = await send({ path: "/" });
      const map = text.match(/<script type="importmap">([^]*?)<\/script>/)?.[1] ?? "";
      const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(map));
      const hash = btoa(String.fromCharCode(...new Uint8Array(digest)));
      assertStringIncludes(headers.get("content-security-policy") ?? "", `'sha256-${hash}'`);
    }));

  it("lets the page reach the sockets where it was asked for and where the server says it is", () =>
    withDemo(async ({ send }) => {
      const policyAt = async (origin: string): Promise<string> =>
        (await send({ path: "/", origin })).headers.get("content-security-policy") ?? "";
      const both = "ws://localhost:9 wss://localhost:9 ws://demo.example.org wss://demo.example.org;";
      assertStringIncludes(await policyAt("http://localhost:9"), `connect-src 'self' ${both}`);
      assertFalse((await policyAt("http://a;b")).includes("a;b"));
    }, { origin: "https://demo.example.org" }));

  it("answers HEAD without the page, and no other method", () =>
    withDemo(async ({ send }) => {
      const head = await send({ path: "/", method: "HEAD" });
      assertEquals([head.status, head.text], [200, ""]);
      assertEquals((await send({ path: "/", method: "POST" })).status, 405);
      assertEquals((await send({ path: "/page/main.js", method: "DELETE" })).status, 405);
    }));

  it("serves each file that the page names, with its type", () =>
    withDemo(async ({ send }) => {
      const { text } = await send({ path: "/" });
      const named = Array.from(text.matchAll(/(?:src|href)="(page\/[^"]+)"/g), ([, path]) => `/${path}`);
      assertEquals([...new Set(named)].toSorted(), [
        "/page/controls.css",
        "/page/icon.svg",
        "/page/main.js",
        "/page/page.css",
        "/page/watch.css",
      ]);
      const types = { svg: "image/svg+xml", js: "text/javascript", css: "text/css" };
      for (const [ending, type] of Object.entries(types)) {
        const path = named.find((one) => one.endsWith(`.${ending}`)) ?? "";
        const { status, headers } = await send({ path });
        assertEquals([status, headers.get("content-type")], [200, `${type}; charset=utf-8`]);
      }
    }));

  it("serves the client of the library as JavaScript, and every module that it imports", () =>
    withDemo(async ({ send }) => {
      const waiting = ["/client/mod.js"];
      const seen = new Set(waiting);
      for (const path of waiting) {
        const { status, headers, text } = await send({ path });
        assertEquals([status, headers.get("content-type")], [200, "text/javascript; charset=utf-8"], path);
        assertFalse(/^(?:export )?(?:interface|type) /m.test(text), path);
        for (const [, imported = ""] of text.matchAll(/^(?:import|export)[^;]*? from "([^"]+)";/gm)) {
          const { pathname } = new URL(imported, ORIGIN + path);
          if (!seen.has(pathname)) waiting.push(pathname);
          seen.add(pathname);
        }
      }
      assertLess(5, seen.size);
    }));

  it("serves nothing else to strangers", () =>
    withDemo(async ({ send }) => {
      const paths = ["/page/types.ts", "/page/index.html", "/page/", "/page/../page.ts", "/page/%2e%2e%2fapp.ts"];
      for (const path of [...paths, "/client/", "/client/nothing.js", "/client/x/mod.js", "/nothing"]) {
        assertEquals((await send({ path })).status, 401, path);
        assertEquals((await send({ path, user: "alice" })).status, 404, path);
      }
    }));
});

describe("CORS", () => {
  for (
    const path of [
      "/",
      "/oauth2/token",
      "/auth/me",
      "/fhir/R4/Patient",
      "/fhir/R4/Subscription/s/$get-ws-binding-token",
    ]
  ) {
    it(`answers the preflight of a page for ${path}`, () =>
      withDemo(async ({ send }) => {
        const { status, headers, text } = await send({
          method: "OPTIONS",
          path,
          headers: {
            origin: PAGE_ORIGIN,
            "access-control-request-method": "PUT",
            "access-control-request-headers": "authorization,content-type,x-medplum",
          },
        });
        assertEquals([status, text], [204, ""]);
        assertEquals(headers.get("access-control-allow-origin"), PAGE_ORIGIN);
        assertEquals(headers.get("access-control-allow-credentials"), "true");
        for (const method of ["GET", "POST", "PUT", "DELETE"]) {
          assertStringIncludes(headers.get("access-control-allow-methods") ?? "", method);
        }
        for (const name of ["authorization", "content-type", "x-medplum"]) {
          assertStringIncludes(headers.get("access-control-allow-headers") ?? "", name);
        }
        assertStringIncludes(headers.get("vary") ?? "", "Origin");
      }));
  }

  it("answers an OPTIONS that is no preflight, anywhere", () =>
    withDemo(async ({ send }) => {
      const { status, headers } = await send({ method: "OPTIONS", path: "/fhir/R4/Patient/p1" });
      assertEquals(status, 204);
      assertStringIncludes(headers.get("allow") ?? "", "DELETE");
      assertEquals(headers.get("access-control-allow-methods"), null);
    }));

  it("lets a page read answers and refusals with their headers", () =>
    withDemo(async ({ send, demo }) => {
      const headers = { origin: PAGE_ORIGIN };
      const answers = [
        await send({ path: "/fhir/R4/metadata", headers }),
        await send({ path: "/fhir/R4/Patient/p1", headers }),
        await send({ path: "/fhir/R4/Patient/p1", user: "alice", headers }),
        await send({ path: "/fhir/R4/Subscription/s1/$get-ws-binding-token", user: "alice", headers }),
        await post(demo, {}, headers),
      ];
      assertEquals(answers.map(({ status }) => status), [200, 401, 404, 404, 400]);
      for (const { headers } of answers) {
        assertEquals(headers.get("access-control-allow-origin"), PAGE_ORIGIN);
        assertEquals(headers.get("access-control-allow-credentials"), "true");
        assertStringIncludes(headers.get("access-control-expose-headers") ?? "", "location");
      }
    }));

  it("says nothing of origins to who names none", () =>
    withDemo(async ({ send }) => {
      const { headers } = await send({ path: "/fhir/R4/metadata" });
      assertEquals(headers.get("access-control-allow-origin"), null);
      assertEquals(headers.get("vary"), "Origin");
    }));
});

describe("upgrades", () => {
  for (const version of ["r4", "r4b", "r5"]) {
    it(`are taken at /ws/subscriptions-${version}, from any origin and from none`, () =>
      withDemo(async ({ demo }) => {
        for (const headers of [{}, { origin: PAGE_ORIGIN }, { origin: "null" }]) {
          const admission = await demo.admit(upgradeRequest(`/ws/subscriptions-${version}`, headers));
          assert(!admission.refused);
          admission.open({ send: () => {}, close: () => {} }).closed();
        }
      }));
  }

  for (const path of ["/ws/", "/ws/subscriptions-r6", "/ws/subscriptions-r4/", "/ws/subscriptions-R4", "/elsewhere"]) {
    it(`are answered 404 at ${path}`, () =>
      withDemo(async ({ demo }) => {
        assertEquals((await demo.admit(upgradeRequest(path))).refused?.status, 404);
      }));
  }

  it("are asked for with 426 where there is none, whoever asks", () =>
    withDemo(async ({ send }) => {
      assertEquals((await send({ path: "/ws/subscriptions-r4" })).status, 426);
      assertEquals((await send({ path: "/ws/nothing" })).status, 404);
    }));
});
