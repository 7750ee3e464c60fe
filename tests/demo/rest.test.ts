import { assertEquals, assertMatch, assertNotEquals, assertStringIncludes } from "@std/assert";
import { describe, it } from "node:test";
import { first, object, ORIGIN, refusal, withDemo } from "./running.ts";

const VERSIONS = ["R4", "R4B", "R5"] as const;
const NUMBERS = { R4: "4.0.1", R4B: "4.3.0", R5: "5.0.0" };
const NOT_FOUND = [404, "not-found", "Not found"];

describe("GET metadata", () => {
  for (const version of VERSIONS) {
    it(`tells of ${version} to anybody, with the operation and the sockets`, () =>
      withDemo(async ({ send }) => {
        const { status, headers, json } = await send({ path: `/fhir/${version}/metadata` });
        assertEquals(status, 200);
        assertMatch(headers.get("content-type") ?? "", /^application\/fhir\+json/);
        assertEquals([json.resourceType, json.fhirVersion], ["CapabilityStatement", NUMBERS[version]]);
        assertEquals(object(json.implementation).url, `${ORIGIN}/fhir/${version}`);
        const rest = first(json.rest);
        const sockets = `${ORIGIN.replace("http", "ws")}/ws/subscriptions-${version.toLowerCase()}`;
        assertEquals(first(rest.extension).valueUri, sockets);
        const resources = rest.resource as { type: string; operation?: { name: string; definition: string }[] }[];
        const [operation] = resources.find(({ type }) => type === "Subscription")?.operation ?? [];
        assertEquals(operation?.name, "get-ws-binding-token");
        assertStringIncludes(operation?.definition ?? "", "/OperationDefinition/");
      }));
  }

  it("has no other method, and is sent as JSON or not at all", () =>
    withDemo(async ({ send }) => {
      const path = "/fhir/R4/metadata";
      assertEquals(refusal(await send({ path, method: "POST" })).slice(0, 2), [405, "not-supported"]);
      assertEquals((await send({ path, headers: { accept: "application/fhir+xml" } })).status, 406);
      assertEquals((await send({ path: `${path}?_format=xml` })).status, 406);
      const head = await send({ path, method: "HEAD" });
      assertEquals([head.status, head.text], [200, ""]);
    }));
});

describe("a resource", () => {
  for (const version of VERSIONS) {
    it(`is created, read, updated and deleted in ${version}`, () =>
      withDemo(async ({ send, now, pass }) => {
        const path = `/fhir/${version}/Patient`;
        const patient = {
          resourceType: "Patient",
          id: "mine",
          meta: { tag: [{ code: "x" }], versionId: "7" },
          active: true,
        };
        const made = await send({ method: "POST", path, user: "alice", body: patient });
        const { id } = made.json;
        assertEquals(made.status, 201);
        assertMatch(String(id), /^[0-9a-f-]{36}$/);
        assertEquals(made.headers.get("location"), `${ORIGIN}${path}/${id}/_history/1`);
        assertEquals(made.headers.get("etag"), 'W/"1"');
        assertEquals(made.headers.get("cache-control"), "no-store");
        const meta = { tag: [{ code: "x" }], versionId: "1", lastUpdated: new Date(now()).toISOString() };
        assertEquals(made.json, { ...patient, id, meta });

        const read = await send({ path: `${path}/${id}`, user: "alice" });
        assertEquals([read.status, read.headers.get("etag")], [200, 'W/"1"']);
        assertEquals(read.json, made.json);
        assertEquals(read.headers.get("last-modified"), new Date(now()).toUTCString());

        pass(10);
        const body = { resourceType: "Patient", id, active: false };
        const updated = await send({ method: "PUT", path: `${path}/${id}`, user: "alice", body });
        assertEquals([updated.status, updated.headers.get("etag")], [200, 'W/"2"']);
        assertEquals(updated.headers.get("location"), null);
        assertEquals(updated.json, { ...body, meta: { versionId: "2", lastUpdated: new Date(now()).toISOString() } });
        assertEquals((await send({ path: `${path}/${id}/_history/2`, user: "alice" })).json, updated.json);
        assertEquals(refusal(await send({ path: `${path}/${id}/_history/1`, user: "alice" })), NOT_FOUND);

        const gone = await send({ method: "DELETE", path: `${path}/${id}`, user: "alice" });
        assertEquals([gone.status, gone.text], [204, ""]);
        assertEquals(refusal(await send({ path: `${path}/${id}`, user: "alice" })), NOT_FOUND);
        assertEquals(refusal(await send({ method: "DELETE", path: `${path}/${id}`, user: "alice" })), NOT_FOUND);
      }));
  }

  it("of an unknown id is created by PUT, again after it was deleted", () =>
    withDemo(async ({ send }) => {
      const call = {
        method: "PUT",
        path: "/fhir/R5/Basic/b1",
        user: "alice",
        body: { resourceType: "Basic", id: "b1" },
      };
      for (let n = 0; n < 2; n++) {
        const made = await send(call);
        assertEquals([made.status, made.headers.get("location")], [201, `${ORIGIN}/fhir/R5/Basic/b1/_history/1`]);
        assertEquals((await send(call)).status, 200);
        assertEquals((await send({ ...call, method: "DELETE", body: undefined })).status, 204);
      }
    }));

  it("is kept by FHIR version", () =>
    withDemo(async ({ send }) => {
      await send({
        method: "PUT",
        path: "/fhir/R4/Basic/b1",
        user: "alice",
        body: { resourceType: "Basic", id: "b1" },
      });
      assertEquals((await send({ path: "/fhir/R4/Basic/b1", user: "alice" })).status, 200);
      assertEquals((await send({ path: "/fhir/R4B/Basic/b1", user: "alice" })).status, 404);
      assertEquals((await send({ path: "/fhir/R4/Patient/b1", user: "alice" })).status, 404);
    }));

  it("is not there for anybody but its creator", () =>
    withDemo(async ({ send }) => {
      const body = { resourceType: "Basic", id: "b1" };
      const path = "/fhir/R4/Basic/b1";
      await send({ method: "PUT", path, user: "alice", body });
      for (const method of ["GET", "PUT", "DELETE"]) {
        const call = { method, path, user: "bob", ...(method === "PUT" && { body }) };
        assertEquals(refusal(await send(call)), NOT_FOUND, method);
      }
      assertEquals(refusal(await send({ path: `${path}/_history/1`, user: "bob" })), NOT_FOUND);
      assertEquals((await send({ path, user: "alice" })).headers.get("etag"), 'W/"1"');
    }));

  it("looks the same to others whether it is there or not", () =>
    withDemo(async ({ send }) => {
      await send({
        method: "PUT",
        path: "/fhir/R4/Basic/b1",
        user: "alice",
        body: { resourceType: "Basic", id: "b1" },
      });
      for (const method of ["GET", "DELETE"]) {
        const [there, not] = [
          await send({ method, path: "/fhir/R4/Basic/b1", user: "bob" }),
          await send({ method, path: "/fhir/R4/Basic/b2", user: "bob" }),
        ];
        assertEquals([there.status, there.text, [...there.headers]], [not.status, not.text, [...not.headers]]);
      }
    }));

  it("answers HEAD like GET, without the body", () =>
    withDemo(async ({ send }) => {
      const path = "/fhir/R4/Basic/b1";
      await send({ method: "PUT", path, user: "alice", body: { resourceType: "Basic", id: "b1" } });
      const head = await send({ method: "HEAD", path, user: "alice" });
      assertEquals([head.status, head.text, head.headers.get("etag")], [200, "", 'W/"1"']);
      const none = await send({ method: "HEAD", path: `${path}x`, user: "alice" });
      assertEquals([none.status, none.text], [404, ""]);
    }));

  it("is sent in the JSON type that was asked for", () =>
    withDemo(async ({ send }) => {
      const path = "/fhir/R4/Basic/b1";
      await send({ method: "PUT", path, user: "alice", body: { resourceType: "Basic", id: "b1" } });
      const headers = { accept: "application/json" };
      const { headers: got } = await send({ path, user: "alice", headers });
      assertEquals(got.get("content-type"), "application/json; charset=utf-8");
    }));
});

describe("what is refused", () => {
  it("without credentials: everything but what is open", () =>
    withDemo(async ({ send }) => {
      for (
        const [method, path] of [
          ["GET", "/fhir/R4/Patient/p1"],
          ["PUT", "/fhir/R4/Patient/p1"],
          ["DELETE", "/fhir/R4/Patient/p1"],
          ["POST", "/fhir/R5/Patient"],
          ["GET", "/fhir/R4/Subscription/s1/$get-ws-binding-token"],
          ["POST", "/fhir/R4/Subscription/$get-ws-binding-token"],
          ["GET", "/auth/me"],
          ["GET", "/nothing"],
          ["GET", "/fhir/R3/metadata"],
          ["GET", "/fhir/R4"],
          ["GET", "/fhir/R4/a/b/c/d/e"],
        ] as const
      ) {
        const answer = await send({ method, path });
        assertEquals(refusal(answer), [401, "login", "Authentication is required"], path);
        assertEquals(answer.headers.get("www-authenticate"), "Bearer");
      }
      const headers = { authorization: "Bearer x" };
      const wrong = await send({ path: "/fhir/R4/Patient/p1", headers });
      assertEquals(refusal(wrong), [401, "unknown", "The credentials were not accepted"]);
      assertEquals(wrong.headers.get("www-authenticate"), 'Bearer error="invalid_token"');
    }));

  it("a stranger's body, before it is read", () =>
    withDemo(async ({ demo }) => {
      let pulled = 0;
      const body = new ReadableStream({ pull: () => void pulled++ }, { highWaterMark: 0 });
      const init = { method: "POST", body, duplex: "half", headers: { "content-type": "application/fhir+json" } };
      const response = await demo.fetch(new Request(`${ORIGIN}/fhir/R4/Patient`, init as RequestInit));
      assertEquals([response.status, pulled], [401, 0]);
    }));

  it("paths that there are not", () =>
    withDemo(async ({ send }) => {
      for (
        const path of [
          "/nothing",
          "/fhir",
          "/fhir/",
          "/fhir/R4",
          "/fhir/R3/Patient/p1",
          "/fhir/r4/Patient/p1",
          "/fhir/R4/Patient/p1/x",
          "/fhir/R4/Patient/p1/_history",
          "/fhir/R4/Patient/p1/_history/1/2",
          "/fhir/R4/patient/p1",
          "/fhir/R4/Pa%74ient%2Fp1/p1",
          "/fhir/R4/%zz/p1",
          "/fhir/R4/__proto__/p1",
          "/fhir/R4/x/Subscription/s1/$get-ws-binding-token",
          "/fhir/R4/Subscription/Subscription/s1/$get-ws-binding-token",
          "/oauth2/authorize",
        ]
      ) assertEquals(refusal(await send({ path, user: "alice" })), NOT_FOUND, path);
    }));

  it("methods that a path has not, naming those it has", () =>
    withDemo(async ({ send }) => {
      for (
        const [method, path, allow] of [
          ["GET", "/fhir/R4/Patient", "POST, OPTIONS"],
          ["PUT", "/fhir/R4/Patient", "POST, OPTIONS"],
          ["PATCH", "/fhir/R4/Patient/p1", "GET, HEAD, PUT, DELETE, OPTIONS"],
          ["POST", "/fhir/R4/Patient/p1", "GET, HEAD, PUT, DELETE, OPTIONS"],
          ["DELETE", "/fhir/R4/Patient/p1/_history/1", "GET, HEAD, OPTIONS"],
        ] as const
      ) {
        const answer = await send({ method, path, user: "alice" });
        assertEquals(refusal(answer).slice(0, 2), [405, "not-supported"], path);
        assertEquals(answer.headers.get("allow"), allow);
      }
    }));

  for (const id of ["a_b", "a%20b", "a,b", "x".repeat(65), "%F0%9F%98%80", "%00", "%zz", "a%2Fb", "%C3"]) {
    it(`"${id}", which is no FHIR id`, () =>
      withDemo(async ({ send }) => {
        const answer = await send({ path: `/fhir/R4/Patient/${id}`, user: "alice" });
        assertEquals(refusal(answer).slice(0, 2), [400, "value"]);
      }));
  }

  it("other types than JSON of this version, asked for or sent", () =>
    withDemo(async ({ send }) => {
      const body = { resourceType: "Basic", id: "b1" };
      const put = { method: "PUT", path: "/fhir/R4/Basic/b1", user: "alice", body };
      for (
        const accept of ["application/fhir+xml", "text/html", "application/fhir+json; fhirVersion=5.0", "*/*;q=0"]
      ) assertEquals(refusal(await send({ ...put, headers: { accept } })).slice(0, 2), [406, "not-supported"], accept);
      for (
        const type of [
          "application/fhir+xml",
          "text/plain",
          "application/fhir+json; fhirVersion=5.0",
          "application/json; charset=utf-16",
          "json",
        ]
      ) {
        const answer = await send({ ...put, headers: { "content-type": type } });
        assertEquals(refusal(answer).slice(0, 2), [415, "not-supported"], type);
      }
      for (const type of ["application/json", "text/json", "application/fhir+json; fhirVersion=4.0"]) {
        assertMatch(String((await send({ ...put, headers: { "content-type": type } })).status), /^20[01]$/);
      }
    }));

  for (
    const [what, body, code] of [
      ["nothing", "", "structure"],
      ["no JSON", "{", "structure"],
      ["null", "null", "structure"],
      ["a number", "7", "structure"],
      ["an array", "[]", "structure"],
      ["no resource", "{}", "value"],
      ["another type", '{"resourceType":"Group","id":"b1"}', "value"],
      ["another id", '{"resourceType":"Basic","id":"b2"}', "value"],
      ["no id", '{"resourceType":"Basic"}', "value"],
      ["an id that is a number", '{"resourceType":"Basic","id":1}', "value"],
      ["a meta that is text", '{"resourceType":"Basic","id":"b1","meta":"x"}', "structure"],
      ["arrays without end", `{"resourceType":"Basic","id":"b1","x":${"[".repeat(400_000)}`, "structure"],
      ["deep arrays", `{"resourceType":"Basic","id":"b1","x":${"[".repeat(40_000)}${"]".repeat(40_000)}}`, "structure"],
    ] as const
  ) {
    it(`a body that is ${what}`, () =>
      withDemo(async ({ send }) => {
        const answer = await send({ method: "PUT", path: "/fhir/R4/Basic/b1", user: "alice", body });
        assertEquals(refusal(answer).slice(0, 2), [400, code]);
        assertEquals((await send({ path: "/fhir/R4/Basic/b1", user: "alice" })).status, 404);
      }));
  }

  it("bytes that are not UTF-8", () =>
    withDemo(async ({ demo, login }) => {
      const request = new Request(`${ORIGIN}/fhir/R4/Basic`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${await login("alice")}` },
        body: new Uint8Array([0x7b, 0xff, 0x7d]),
      });
      assertEquals((await demo.fetch(request)).status, 400);
    }));

  it("a body beyond 1 MiB, said or sent", () =>
    withDemo(async ({ send, demo, login }) => {
      const padding = "x".repeat(1024 * 1024);
      const body = { resourceType: "Basic", padding };
      const call = { method: "POST", path: "/fhir/R4/Basic", user: "alice" };
      assertEquals(refusal(await send({ ...call, body })).slice(0, 2), [413, "too-costly"]);
      let sent = 0;
      const endless = new ReadableStream<Uint8Array>({
        pull(controller) {
          sent += 65_536;
          controller.enqueue(new Uint8Array(65_536).fill(0x20));
        },
      });
      const headers = { "content-type": "application/json", authorization: `Bearer ${await login("alice")}` };
      const init = { method: "POST", body: endless, duplex: "half", headers };
      const response = await demo.fetch(new Request(`${ORIGIN}/fhir/R4/Basic`, init as RequestInit));
      assertEquals(response.status, 413);
      assertMatch(String(sent), /^1[0-9]{6}$/, "little more than the limit was read");
      const most = { ...call, body: { resourceType: "Basic", padding: padding.slice(100) } };
      assertEquals((await send(most)).status, 201);
    }));
});

describe("what is kept", () => {
  it("comes back as it was sent, strange names and characters included", () =>
    withDemo(async ({ send }) => {
      const body =
        '{"resourceType":"Basic","id":"b1","__proto__":{"x":1},"toString":"y","text":"\\u0000\\ud800 \\"é\\""}';
      const path = "/fhir/R4/Basic/b1";
      await send({ method: "PUT", path, user: "alice", body });
      const { text } = await send({ path, user: "alice" });
      const tail = body.slice(body.indexOf(',"__proto__"'));
      assertStringIncludes(text, tail);
      assertNotEquals(JSON.parse(text).toString, Object.prototype.toString);
    }));
});
