// As much of npm's `playwright-core` as the tests use: it is installed for them alone, so its types are out of reach.

/** https://playwright.dev/docs/api/class-browsertype */
export interface Chromium {
  launch(options: { readonly executablePath: string; readonly args: readonly string[] }): Promise<Browser>;
}

/** https://playwright.dev/docs/api/class-browser */
export interface Browser {
  newContext(options: Look): Promise<Context>;
  close(): Promise<void>;
}

/** How the browser shows pages. */
export interface Look {
  readonly viewport?: { readonly width: number; readonly height: number };
  readonly colorScheme?: "light" | "dark";
  readonly reducedMotion?: "reduce" | "no-preference";
  readonly deviceScaleFactor?: number;
}

/** https://playwright.dev/docs/api/class-browsercontext */
export interface Context {
  newPage(): Promise<Page>;
  close(): Promise<void>;
}

/** https://playwright.dev/docs/api/class-page */
export interface Page {
  readonly keyboard: { press(key: string): Promise<void> };
  goto(url: string): Promise<unknown>;
  reload(): Promise<unknown>;
  getByRole(role: string, options: { readonly name: string | RegExp; readonly exact?: boolean }): Locator;
  getByLabel(text: string, options?: { readonly exact?: boolean }): Locator;
  locator(selector: string, options?: { readonly hasText?: string | RegExp }): Locator;
  screenshot(options: { readonly path: string; readonly fullPage?: boolean }): Promise<unknown>;
  evaluate<T>(script: string): Promise<T>;
  setDefaultTimeout(milliseconds: number): void;
  route(url: string, handler: (route: Route) => Promise<void>): Promise<unknown>;
  unroute(url: string): Promise<void>;
  on(event: "console", listener: (message: ConsoleMessage) => void): void;
  on(event: "pageerror", listener: (error: Error) => void): void;
  on(event: "request", listener: (request: { url(): string }) => void): void;
  on(event: "websocket", listener: (socket: WebSocketOfPage) => void): void;
}

/** https://playwright.dev/docs/api/class-websocket */
export interface WebSocketOfPage {
  on(event: "framereceived", listener: (frame: { readonly payload: unknown }) => void): void;
}

/** https://playwright.dev/docs/api/class-consolemessage */
export interface ConsoleMessage {
  type(): string;
  text(): string;
}

/** https://playwright.dev/docs/api/class-route */
export interface Route {
  fulfill(answer: { readonly status: number; readonly contentType: string; readonly body: string }): Promise<void>;
}

/** https://playwright.dev/docs/api/class-locator */
export interface Locator {
  click(): Promise<void>;
  check(): Promise<void>;
  fill(text: string): Promise<void>;
  selectOption(value: string): Promise<unknown>;
  first(): Locator;
  count(): Promise<number>;
  waitFor(options?: { readonly state?: "visible" | "hidden" }): Promise<void>;
  textContent(): Promise<string | null>;
  innerText(): Promise<string>;
  isVisible(): Promise<boolean>;
}
