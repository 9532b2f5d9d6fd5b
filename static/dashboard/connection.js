// Keeps the cell coming: a snapshot over HTTP (packed), then a WebSocket, resumed by cursor after every break; where
// WebSockets are blocked, polls. And says how live what it brings is.

const LONGEST_PAUSE = 10_000;
const SILENT = 10_000; // the portal speaks every 2 s: after this the connection is dead, whatever the browser thinks
const BLOCKED = 2; // WebSockets in a row that never opened, until polls take over
const TRY_SOCKET = 60_000; // between two looks, while polling, whether a WebSocket opens now
const BETWEEN_POLLS = 500;
const ENDS = { 4401: "logged out", 4403: "not allowed", 4404: "no such cell" };
const ENDS_HTTP = { 401: 4401, 403: 4403, 404: 4404 };

export class Connection {
  #socket = null;
  #cursor = null;
  #seq = 0;
  #tries = 0;
  #unopened = 0;
  #heardAt = 0;
  #behind = 0;
  #nextTry = 0;
  #polling = false;
  #polls = false; // the last poll was answered: the portal is there, and only WebSockets are not
  #ended = "";

  constructor(paths, onMessage, onEnd) {
    this.paths = paths; // { socket, snapshot, poll }
    this.url = new URL(paths.socket, location.href);
    this.url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    this.onMessage = onMessage;
    this.onEnd = onEnd;
    addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.#hurry(); });
    setInterval(() => this.#watch(), 1000);
    this.#begin();
  }

  // What the reader has drawn; a portal that hears nothing waits with the rest and sends a snapshot later.
  acknowledge() {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#say({ type: "ack", seq: this.#seq });
  }

  // { status: live | behind | polling | reconnecting | connecting | ended, seconds }
  status() {
    if (this.#ended) return { status: "ended", text: this.#ended };
    if (!this.#heardAt) return { status: this.#tries > 1 ? "reconnecting" : "connecting", seconds: 0 };
    const quiet = (Date.now() - this.#heardAt) / 1000;
    if (this.#polling && this.#polls) return { status: quiet > 15 ? "reconnecting" : "polling", seconds: quiet };
    if (this.#socket?.readyState !== WebSocket.OPEN) return { status: "reconnecting", seconds: quiet };
    const seconds = this.#behind + Math.max(0, quiet - 3);
    return { status: seconds >= 2 ? "behind" : "live", seconds };
  }

  async #begin() {
    await this.#fetch(this.paths.snapshot);
    if (!this.#ended) this.#open();
  }

  // One message over HTTP. False: it did not come.
  async #fetch(path) {
    try {
      const answer = await fetch(path, { headers: { Accept: "application/json" }, credentials: "same-origin" });
      if (ENDS_HTTP[answer.status]) this.#end(ENDS_HTTP[answer.status]);
      if (!answer.ok) return false;
      const message = await answer.json();
      this.#note(message);
      return true;
    } catch { return false; }
  }

  #open() {
    this.#tries += 1;
    const socket = new WebSocket(this.url);
    let opened = false;
    this.#socket = socket;
    socket.onopen = () => { opened = true; this.#seq = 0; this.#say({ type: "resume", after: this.#cursor }); };
    socket.onmessage = (event) => { if (socket === this.#socket) this.#receive(JSON.parse(event.data)); };
    socket.onclose = (event) => {
      if (socket !== this.#socket) return;
      this.#unopened = opened ? 0 : this.#unopened + 1;
      this.#closed(event.code);
    };
  }

  #say(message) { this.#socket.send(JSON.stringify(message)); }

  #receive(message) {
    if (message.type !== "snapshot" && message.type !== "delta") return;
    if (message.type === "delta" && message.seq !== this.#seq + 1) {
      this.#cursor = null; // a gap: only a snapshot helps
      this.#say({ type: "resume", after: null });
      return;
    }
    this.#tries = 0;
    this.#polling = false;
    this.#seq = message.seq;
    this.#note(message);
  }

  #note(message) {
    this.#heardAt = Date.now();
    this.#behind = message.behind;
    this.#cursor = message.cursor;
    this.onMessage(message);
  }

  #end(code) {
    this.#ended = ENDS[code];
    this.onEnd(code);
  }

  #closed(code) {
    this.#seq = 0;
    if (ENDS[code]) { this.#end(code); return; }
    if (this.#unopened >= BLOCKED && !this.#polling) this.#poll();
    const usual = Math.min(LONGEST_PAUSE, 250 * 2 ** this.#tries) * (0.7 + 0.6 * Math.random());
    const pause = this.#polling && this.#polls ? TRY_SOCKET : usual;
    this.#nextTry = Date.now() + pause;
    setTimeout(() => { if (this.#nextTry && Date.now() >= this.#nextTry - 5) this.#retry(); }, pause);
  }

  async #poll() {
    this.#polling = true;
    let failed = 0;
    while (this.#polling && !this.#ended) {
      if (document.hidden) { await pause(1000); continue; }
      const after = this.#cursor ? `?after=${encodeURIComponent(this.#cursor)}` : "";
      this.#polls = await this.#fetch(this.paths.poll + after);
      failed = this.#polls ? 0 : failed + 1;
      if (failed === 1) this.#hurry(); // not WebSockets alone: the portal is away, and both are tried
      await pause(failed ? Math.min(LONGEST_PAUSE, 500 * 2 ** failed) : BETWEEN_POLLS);
    }
  }

  #retry() {
    this.#nextTry = 0;
    this.#open();
  }

  #hurry() {
    if (this.#nextTry && !this.#ended && !(this.#polling && this.#polls)) this.#retry();
  }

  #watch() {
    if (this.#ended || document.hidden || this.#socket?.readyState !== WebSocket.OPEN) return;
    if (this.#heardAt && Date.now() - this.#heardAt > SILENT) {
      const dead = this.#socket;
      this.#socket = null; // its close may take minutes: nobody waits for it
      dead.close();
      this.#closed(1006);
    }
  }
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
