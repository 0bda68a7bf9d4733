// What the dashboard asks of saldo's API, with the key of whoever signed in.

import { say } from "/dashboard/page.js";

const KEY = "saldo-dashboard-key"; // for this tab only, and never in an address
const READ_MS = 20000, ACT_MS = 120000;

export class Problem extends Error {
  /** `status` 0: no answer came. `more` is the server's own word. */
  constructor(status, more) {
    super(say(WORDS.has(status) ? `problem-${status}` : "problem"));
    this.status = status;
    this.more = more;
  }
  /** Whether it is certain that the request did nothing, or what it did was told. */
  get isAnswer() { return this.status >= 400 && this.status < 500; }
}
const WORDS = new Set([0, 401, 403, 404, 409, 422, 503]);

/** Who is signed in: name, scopes. */
export const me = { name: "", scopes: [] };
export const may = (scope) => me.scopes.includes(scope);

export function isSignedIn() { return Boolean(sessionStorage.getItem(KEY)); }

export function forget() {
  sessionStorage.removeItem(KEY); // a wish without an answer stays
  Object.assign(me, { name: "", scopes: [] });
}

/** Learn what a key is for. Throws Problem. */
export async function signIn(key) {
  if (key !== undefined) sessionStorage.setItem(KEY, key);
  Object.assign(me, await get("/v1/key"));
}

export function get(path) { return ask(path, {}, READ_MS); }

/** Safe to send again with the same key, and only with that. */
export function post(path, body, idempotencyKey) {
  const headers = { "Content-Type": "application/json", "Idempotency-Key": idempotencyKey };
  return ask(path, { method: "POST", headers, body: JSON.stringify(body) }, ACT_MS);
}

async function ask(path, how, limit) {
  const headers = { ...how.headers, Authorization: `Bearer ${sessionStorage.getItem(KEY)}` };
  let answer, told;
  try {
    answer = await fetch(path, { ...how, headers, signal: AbortSignal.timeout(limit) });
    told = await answer.json();
  } catch {
    throw new Problem(answer && !answer.ok ? answer.status : 0, "");
  }
  if (answer.ok) return told;
  throw new Problem(answer.status, [told.title, told.detail].filter(Boolean).join(": "));
}

// Not crypto.randomUUID: it is missing on pages served over plain HTTP.
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `dashboard-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
