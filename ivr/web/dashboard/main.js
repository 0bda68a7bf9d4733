// The frame of the dashboard: who is signed in, which part is open, in which language.

import { forget, isSignedIn, may, me, signIn } from "/dashboard/api.js";
import { byId, make, notice, otherLanguage, say, speak, tell } from "/dashboard/page.js";
import { payments } from "/dashboard/payments.js";

/** Each part has a name, the scope that it needs, and `open(place, rest)`, which may return what ends it. */
const SECTIONS = [payments];
const SCOPES = ["read", "refunds"];

let end = null; // of the part that is open

/** A header that cannot be sent is no key. */
const isKey = (text) => /^[\x21-\x7e]+$/.test(text);

function frame() {
  byId("skip").textContent = say("skip");
  byId("sign-out").textContent = say("sign-out");
  byId("sign-out").hidden = byId("sections").hidden = !me.name;
  byId("who").textContent = me.name && say("signed-in", { name: me.name });
  byId("language").textContent = say("language");
  byId("language").lang = otherLanguage();
  byId("sections").setAttribute("aria-label", say("sections"));
  const open = location.hash.split(/[/?]/)[1];
  byId("sections").replaceChildren(...SECTIONS.filter(({ scope }) => may(scope)).map(({ name }) => make(
    "a", { href: `#/${name}`, "aria-current": name === open && "page" }, say(`section-${name}`))));
}

function close() {
  if (end) end();
  end = null;
  byId("main").replaceChildren();
}

// --- signing in

function askForKey(why) {
  close();
  frame();
  document.title = `${say("sign-in")} · Saldo`;
  const key = make("input", { id: "key", type: "password", autocomplete: "off", required: true,
    "aria-describedby": "key-hint" });
  const form = make("form", { class: "card narrow", onsubmit: (event) => {
    event.preventDefault();
    enter(key.value.trim());
  } },
  make("h1", {}, say("sign-in")),
  why && make("div", { role: "alert" }, notice("bad", why)),
  make("label", { for: "key" }, say("key")), key,
  make("p", { class: "soft", id: "key-hint" }, say("key-hint")),
  make("button", { class: "main-button" }, say("sign-in")));
  byId("main").append(form);
  key.focus();
}

/** With a key that was typed, or the one of this tab. */
async function enter(key) {
  if (key !== undefined && !isKey(key)) return askForKey(say("problem-401"));
  try {
    await signIn(key);
  } catch (error) {
    if (key !== undefined || error.status === 401) forget();
    return askForKey(error.message);
  }
  const lacks = SCOPES.filter((scope) => !may(scope));
  if (!may("read")) {
    forget();
    return askForKey(say("key-opens-nothing", { lacks: lacks.join(", ") }));
  }
  open();
}

function leave(why) {
  forget();
  askForKey(why);
}

// --- the parts

function open() {
  if (!isSignedIn() || !me.name) return;
  close();
  frame();
  tell("");
  const [path, query] = location.hash.replace(/^#\//, "").split("?");
  const [name, rest] = path.split("/");
  const section = SECTIONS.find((each) => each.name === name && may(each.scope));
  if (!section) return location.replace(`#/${SECTIONS[0].name}`);
  if (!may("refunds")) byId("main").append(make("p", { class: "lacks" }, say("key-lacks-refunds")));
  const place = make("div");
  byId("main").append(place);
  end = section.open(place, { rest, query: new URLSearchParams(query), leave });
}

byId("sign-out").addEventListener("click", () => leave());
byId("language").addEventListener("click", async () => {
  await speak(otherLanguage());
  me.name ? open() : askForKey();
  byId("language").focus();
});
byId("skip").addEventListener("click", (event) => { // the address is ours to route by
  event.preventDefault();
  byId("main").focus();
});
addEventListener("hashchange", open);

await speak();
if (isSignedIn()) enter();
else askForKey();
