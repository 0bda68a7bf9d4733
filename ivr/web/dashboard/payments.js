// The list of payments: newest first, found by a number or by how they stand.

import { get } from "/dashboard/api.js";
import { payment } from "/dashboard/payment.js";
import { chip, isSome, make, means, moment, money, notice, say, tell } from "/dashboard/page.js";

const AT_ONCE = 25;
const GROUPS = {
  waiting: ["charging", "unknown"], paid: ["captured", "settled"],
  "not-paid": ["declined", "failed", "canceled", "created"],
  back: ["voided", "refunded", "returned"],
};
const COLUMNS = ["when", "customer", "means", "confirmation", "state", "amount"];

let isSearching = false; // the search was pressed, and its field keeps the focus

export const payments = { name: "payments", scope: "read", open };

function open(place, { rest, query, leave }) {
  if (rest) return payment(place, rest, leave);
  document.title = `${say("section-payments")} · Saldo`;
  const asked = { number: query.get("number") || "", group: query.get("group") || "" };
  const rows = make("tbody", { role: "rowgroup" });
  const table = make("table", { class: "payments", role: "table", hidden: true },
    make("caption", { class: "unseen" }, say("section-payments")),
    make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, COLUMNS.map((column) => make(
      "th", { scope: "col", role: "columnheader", class: column }, say(`column-${column}`))))),
    rows);
  const after = make("div", { class: "after" });
  place.append(
    make("h1", { tabindex: "-1" }, say("section-payments")), searching(asked), table, after);
  place.querySelector(isSearching ? "#number" : "h1").focus();
  isSearching = false;
  more(null);

  async function more(cursor) {
    after.replaceChildren(make("p", { class: "soft" }, say("loading")));
    try {
      const found = await get(`/v1/payments?${searched(asked, cursor)}`);
      show(found);
    } catch (error) {
      if (error.status === 401) return leave(error.message);
      const again = make("button", { onclick: () => more(cursor) }, say("try-again"));
      after.replaceChildren(make("div", { role: "alert" }, notice("bad", error.message, error.more, again)));
    }
  }

  function show({ data, next }) {
    const isFirst = !rows.children.length;
    const added = data.map(row);
    rows.append(...added);
    table.hidden = !rows.children.length;
    after.replaceChildren();
    if (next) after.append(make("button", { onclick: () => more(next) }, say("older")));
    if (table.hidden) after.append(make("p", { class: "nothing" }, say("nothing-found")));
    tell(say("listed", { count: rows.children.length }));
    if (!isFirst && added.length) added[0].querySelector("a").focus();
  }
}

function searched({ number, group }, cursor) {
  const query = new URLSearchParams({ limit: AT_ONCE });
  if (number) query.set("number", number);
  for (const state of GROUPS[group] || []) query.append("state", state);
  if (cursor) query.set("before", cursor);
  return query;
}

function searching({ number, group }) {
  const typed = make("input", { id: "number", type: "search", autocomplete: "off", spellcheck: "false",
    maxlength: "64", value: number, "aria-describedby": "number-hint" });
  const chosen = make("select", { id: "group" }, make("option", { value: "" }, say("group-all")),
    Object.keys(GROUPS).map((each) => make(
      "option", { value: each, selected: each === group }, say(`group-${each}`))));
  function go(event) {
    event.preventDefault();
    isSearching = true;
    const wanted = Object.entries({ number: typed.value.trim(), group: chosen.value });
    const query = new URLSearchParams(wanted.filter(([, value]) => value));
    const hash = query.size ? `#/payments?${query}` : "#/payments";
    if (location.hash === hash) dispatchEvent(new Event("hashchange")); // the same once more
    else location.hash = hash;
  }
  return make("form", { class: "search", role: "search", onsubmit: go },
    make("div", { class: "grows" }, make("label", { for: "number" }, say("find")), typed,
      make("p", { class: "soft", id: "number-hint" }, say("find-hint"))),
    make("div", {}, make("label", { for: "group" }, say("column-state")), chosen),
    make("button", { class: "main-button" }, say("search")));
}

function row(one) {
  const cells = {
    when: make("a", { href: `#/payments/${one.id}` }, moment(one.created_at)),
    customer: [make("strong", {}, one.customer_name), " ", make("span", { class: "soft" }, say("account", { account: one.account_number }))],
    means: means(one),
    confirmation: one.confirmation ? grouped(one.confirmation) : make("span", { class: "soft" }, "–"),
    state: [chip(one.state), part(one)],
    amount: money(one.amount),
  };
  return make("tr", { role: "row" }, COLUMNS.map((column) => make(
    "td", { role: "cell", class: column }, [cells[column]].flat())));
}

function part({ state, refunded, refunding }) {
  if (isSome(refunding)) return make("span", { class: "soft" }, say("part-refunding", { amount: money(refunding) }));
  if (!isSome(refunded) || ["voided", "refunded"].includes(state)) return null;
  return make("span", { class: "soft" }, say("part-refunded", { amount: money(refunded) }));
}

export function grouped(code) { return code.replace(/(\d{4})(?=\d)/g, "$1 "); }
