// Stands in for Braintree's hosted fields: the same calls and events, a frame of the stand-in's own
// for each field. What is typed stays in the frames.
"use strict";
(() => {
  const EVENTS = ["focus", "blur", "empty", "notEmpty", "validityChange", "inputSubmitRequest"];
  const assets = new URL(document.currentScript.src);
  const frameUrl = new URL("../html/hosted-fields-frame.html", assets);

  class HostedFields {
    constructor(configuration, wanted, styles) {
      this.channel = crypto.randomUUID();
      this.frames = {};
      this.listeners = {};
      this.answers = new Map();
      this.state = { cards: [], fields: {} };
      this.configuration = configuration;
      this.ready = Promise.all(Object.entries(wanted).map(([field, options]) => this.add(field, options, styles)));
      addEventListener("message", (event) => this.hear(event));
    }

    add(field, options, styles) {
      const container = document.querySelector(options.container);
      const frame = document.createElement("iframe");
      frame.src = `${frameUrl}#${field},${this.channel}`;
      frame.name = `braintree-hosted-field-${field}`;
      frame.title = options.iframeTitle || `Secure Credit Card Frame - ${field}`;
      frame.style.border = "none";
      frame.style.width = "100%";
      frame.style.height = "100%";
      this.state.fields[field] = { container, isEmpty: true, isFocused: false, isPotentiallyValid: true, isValid: false };
      for (const label of document.querySelectorAll(`label[for="${container.id}"]`)) {
        label.addEventListener("click", () => this.focus(field));
      }
      const shown = new Promise((resolve) => {
        this.frames[field] = { frame, resolve, setUp: { placeholder: options.placeholder, label: options.internalLabel, styles, token: this.configuration } };
      });
      container.append(frame);
      return shown;
    }

    hear({ data, origin, source }) {
      const known = this.frames[data?.field];
      if (origin !== frameUrl.origin || data.channel !== this.channel || source !== known?.frame.contentWindow) return;
      if (data.kind === "ready") this.send(data.field, { kind: "set-up", ...known.setUp });
      else if (data.kind === "shown") known.resolve();
      else if (data.kind === "answer") this.answers.get(data.id)?.(data);
      else if (EVENTS.includes(data.kind)) {
        Object.assign(this.state.fields[data.field], data.state);
        for (const listener of this.listeners[data.kind] ?? []) listener({ ...this.getState(), emittedBy: data.field });
      }
    }

    send(field, message) {
      this.frames[field].frame.contentWindow.postMessage({ channel: this.channel, ...message }, frameUrl.origin);
    }

    on(kind, listener) {
      (this.listeners[kind] ??= []).push(listener);
    }

    getState() {
      const fields = Object.entries(this.state.fields).map(([field, state]) => [field, { ...state }]);
      return { cards: [...this.state.cards], fields: Object.fromEntries(fields) };
    }

    focus(field) {
      this.frames[field].frame.focus();
      this.send(field, { kind: "focus-yourself" });
    }

    setAttribute({ field, attribute, value }) {
      this.send(field, { kind: "attribute", attribute, value });
    }

    async tokenize() {
      const id = crypto.randomUUID();
      const answer = await new Promise((resolve) => {
        this.answers.set(id, resolve);
        this.send("number", { kind: "tokenize", id });
      });
      this.answers.delete(id);
      if (answer.isEmpty) throw failure("HOSTED_FIELDS_FIELDS_EMPTY", "All fields are empty. Cannot tokenize empty card fields.");
      if (answer.invalid) throw failure("HOSTED_FIELDS_FIELDS_INVALID", "Some payment input fields are invalid.", { invalidFieldKeys: answer.invalid });
      if (answer.failed) throw failure("HOSTED_FIELDS_FAILED_TOKENIZATION", "The supplied card data failed tokenization.");
      return answer.payload;
    }
  }

  function failure(code, message, details) {
    return Object.assign(new Error(message), { code, details });
  }

  window.braintree = window.braintree || {};
  window.braintree.hostedFields = {
    async create({ client, fields, styles }) {
      const made = new HostedFields(client.getConfiguration().gatewayConfiguration, fields, styles);
      await made.ready;
      return made;
    },
  };
})();
