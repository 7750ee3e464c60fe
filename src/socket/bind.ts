// A bind, step by step: https://hl7.org/fhir/uv/subscriptions-backport/channels.html#websockets

import { BindingError } from "../errors.ts";
import { subscriptionKey } from "../event/key.ts";
import { isIssue, judgeSubscription, refusalOf } from "../fhir/eligibility.ts";
import { askHost, clock, report, who } from "../host.ts";
import { readVisible, type VerifiedBinding, verifyBinding } from "../token/verify.ts";
import type { BindingGrant, Caller } from "../types.ts";
import { accept, type Accepted, vacate } from "./accept.ts";
import { adopt, freshRead, refresh } from "./access.ts";
import { isChanged, isDoubtful } from "./attempt.ts";
import { Binding, settleExpiry } from "./binding.ts";
import type { Command } from "./protocol.ts";
import type { SocketDialect } from "./rendering.ts";
import { recheckTokens } from "./revocation.ts";
import type { Session } from "./session.ts";
import { change, startBindings } from "./start.ts";
import { type BindAttempt, type BinderState, type BoundToken, enter, type FreshRead } from "./state.ts";
import { tailOf } from "./unbind.ts";

/** How a bind was asked for. */
interface Manner {
  readonly dialect: SocketDialect;
  readonly tail: string;
  readonly since?: ReadonlyMap<string, number>;
}

/**
 * Binds what a token covers.
 *
 * @throws {BindingError} for every refusal; nothing is bound then, and the token is not used up.
 */
export async function bind(state: BinderState, session: Session, command: Command & { type: "bind" }): Promise<void> {
  const verify = () => verifyBinding(command.token, state.settings);
  const manner = {
    dialect: command.dialect,
    tail: tailOf(command.token),
    ...(command.since && { since: command.since }),
  };
  await bindVerified(state, session, manner, verify, (grant) => redeem(state, session, grant));
}

/**
 * Binds a Subscription to a socket whose upgrade request authorised it: R4's own protocol, without a token.
 * https://hl7.org/fhir/R4/subscription.html#channels
 *
 * @throws {BindingError}
 */
export async function bindLegacy(state: BinderState, session: Session, id: string): Promise<void> {
  const caller = session.legacyCaller;
  if (caller === undefined) throw new BindingError("forbidden");
  const manner = { dialect: "legacy" as const, tail: `bind ${id}` };
  await bindVerified(state, session, manner, () => verifyLegacy(state, id, caller), () => {});
}

async function verifyLegacy(state: BinderState, id: string, caller: Caller): Promise<VerifiedBinding> {
  const { settings } = state;
  const draft = { audience: settings.base, caller, subscriptions: [id] };
  const generations = await askHost(settings, "verify", () => settings.tokens.generations?.(draft));
  const now = clock(settings);
  const subscription = await readVisible(id, caller, settings);
  const judged = judgeSubscription(id, subscription, settings.fhirVersion, now);
  if (subscription === undefined || isIssue(judged)) throw refusalOf(isIssue(judged) ? [judged] : []);
  const issuedAt = Math.floor(now / 1000);
  const expiresAt = issuedAt + (settings.legacy?.lifetime ?? 3600);
  const grant = { ...draft, id: crypto.randomUUID(), issuedAt, expiresAt, ...(generations && { generations }) };
  return { grant, subscriptions: [subscription], refused: [] };
}

async function bindVerified(
  state: BinderState,
  session: Session,
  manner: Manner,
  verify: () => Promise<VerifiedBinding>,
  redeem: (grant: BindingGrant) => Promise<void> | void,
): Promise<void> {
  await state.bus.listening();
  const attempt: BindAttempt = { seen: new Set(), place: undefined };
  state.attempts.add(attempt);
  try {
    const accepted = await accept(state, session, verify, attempt);
    if (session.over) return;
    await redeem(accepted.grant);
    if (session.over) return;
    const bindings = register(state, session, manner, accepted);
    // From here on messages reach the bindings themselves; those that came during the redeem are made up for.
    await makeUp(state, session, bindings, attempt, accepted.grant);
    await activate(state, bindings);
    await startBindings(state, bindings);
    if (accepted.refused.length > 0) session.tell(accepted.refused);
  } finally {
    state.attempts.delete(attempt);
    vacate(state, session, attempt);
  }
}

/** Redeems as the same attempt until the outcome is known: an answer that was lost does not burn the token. */
async function redeem({ settings }: BinderState, session: Session, grant: BindingGrant): Promise<void> {
  if (settings.tokens.redeem === undefined) return;
  const attempts = session.attempts ??= new Map();
  const attempt = attempts.get(grant.id) ?? crypto.randomUUID();
  attempts.set(grant.id, attempt);
  try {
    await askHost(settings, "redeem", () => settings.tokens.redeem?.(grant, attempt));
  } catch (error) {
    if (error instanceof BindingError && error.code === "unavailable") throw error;
    attempts.delete(grant.id);
    throw error;
  }
  attempts.delete(grant.id);
}

/** Makes or renews the bindings; a renewal extends and never shortens, and keeps its place in the log. */
function register(state: BinderState, session: Session, manner: Manner, accepted: Accepted): Binding[] {
  const { grant, found, checked } = accepted;
  const token: BoundToken = { grant, tail: manner.tail };
  const renewed = new Set(session.bindings.values());
  const bindings = found.map(([id, subscription]) =>
    registerOne(state, session, manner, token, id, freshRead(state, subscription, checked))
  );
  session.accepted(grant.caller);
  // Not before all are there: who is told may close the socket.
  for (const binding of bindings) {
    report(state.settings, {
      type: "bound",
      caller: who(grant.caller),
      token: grant.id,
      subscription: binding.id,
      renewed: renewed.has(binding),
    });
  }
  return bindings;
}

function registerOne(
  state: BinderState,
  session: Session,
  manner: Manner,
  token: BoundToken,
  id: string,
  read: FreshRead,
): Binding {
  const { caller } = token.grant;
  const access = enter(state, subscriptionKey(state.settings.base, caller.tenant, id), id, caller, read);
  adopt(state, access, read);
  const binding = session.bindings.get(id) ?? new Binding(session, access, manner.dialect);
  session.bindings.set(id, binding);
  move(binding, access);
  binding.dialect = manner.dialect;
  state.waiting.add(binding);
  binding.since ??= manner.since?.get(id);
  binding.tokens = [...binding.tokens.filter((one) => isOfUse(state, one) && one.tail !== token.tail), token];
  settleExpiry(state, binding);
  return binding;
}

/** A socket that renews for weeks does not keep the tokens of weeks. */
function isOfUse(state: BinderState, { grant }: BoundToken): boolean {
  return grant.expiresAt * 1000 > clock(state.settings);
}

/** What the newest token's caller may see is what counts. */
function move(binding: Binding, access: Binding["access"]): void {
  const before = binding.access;
  binding.access = access;
  access.bindings.add(binding);
  if (before === access) return;
  before.bindings.delete(binding);
  if (before.bindings.size === 0) before.watched.accesses.delete(before.name);
}

async function makeUp(
  state: BinderState,
  session: Session,
  bindings: readonly Binding[],
  attempt: BindAttempt,
  grant: BindingGrant,
): Promise<void> {
  const changes = isChanged(attempt, grant) ? bindings.map(({ access }) => change(state, access)) : [];
  const checks = isDoubtful(attempt, grant) ? [recheckTokens(state, [session])] : [];
  await Promise.all([...changes, ...checks]);
}

/** A refresh asks the host to activate what is still `requested`. */
async function activate(state: BinderState, bindings: readonly Binding[]): Promise<void> {
  if (state.settings.subscriptions.activate === undefined) return;
  const requested = bindings.filter(({ ended, access }) => !ended && access.facts.status === "requested");
  await Promise.all(requested.map(({ access }) => refresh(state, access)));
}
