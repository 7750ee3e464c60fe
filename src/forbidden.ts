/**
 * What stores throw.
 *
 * @module
 */

/**
 * The `BindingError` of the code `forbidden`, made without the table of all codes: who bundles a store need not carry
 * that. `instanceof BindingError` is true of it.
 */
export class Forbidden extends Error {
  /** Like every `BindingError`. */
  override readonly name = "BindingError";
  /** What went wrong. */
  readonly code = "forbidden";
  /** What an OperationOutcome would list. */
  readonly issues = [{ code: this.code, text: this.message }];
  /** It does not help to come back. */
  declare readonly retryAfter: undefined;

  /** Has the code's fixed text. */
  constructor() {
    super("Not allowed");
  }
}
