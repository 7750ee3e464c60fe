// A signer is a way to write a grant down and read it again, and a store that remembers what is dead or used.

import { BindingError } from "../errors.ts";
import type { BindingGrant, MaybePromise, TokenSigner, TokenStore } from "../types.ts";
import { createRevocations, narrow } from "./grant.ts";

/** A kind of token, knowing nothing of revocation. */
export interface TokenFormat {
  write(grant: BindingGrant): MaybePromise<string>;
  /** @throws {BindingError} `token-unknown`, `token-expired`. `now` in milliseconds. */
  read(token: string, now: number): MaybePromise<BindingGrant>;
}

/** A signer whose tokens can be revoked. */
export type RevocableSigner = TokenSigner & Required<Pick<TokenSigner, "generations" | "surviving" | "revocations">>;

/** Without a store tokens live until they expire. */
export function createStatelessSigner(format: TokenFormat): TokenSigner {
  return {
    sign: (grant) => format.write(grant),
    verify: (token, now = Date.now()) => format.read(token, now),
    local: true,
  };
}

/** Generations are read when nobody read them earlier, and compared at every verification. */
export function createRevocableSigner(format: TokenFormat, store: TokenStore, singleUse = false): RevocableSigner {
  const revocations = createRevocations(store);
  return {
    ...revocations,
    async sign(grant) {
      const generations = grant.generations ?? await revocations.generations(grant);
      return await format.write({ ...grant, generations });
    },
    async verify(token, now = Date.now()) {
      const grant = await format.read(token, now);
      const [surviving = []] = await revocations.surviving([grant]);
      if (surviving.length === 0) throw new BindingError("token-unknown");
      return narrow(grant, surviving);
    },
    ...(singleUse && {
      async redeem(grant: BindingGrant, attempt: string): Promise<void> {
        if (!await store.redeem(grant.id, attempt, grant.expiresAt)) throw new BindingError("token-unknown");
      },
    }),
  };
}
