// Keeps a WebSocket open: resumes by cursor after every break, and says how live what it brings is.

const LONGEST_PAUSE = 10_000;
const SILENT = 10_000; // the portal speaks every 2 s: after this the connection is dead, whatever the browser thinks

export class Connection {
  #socket = null;
  #cursor = null;
  #seq = 0;
  #tries = 0;
  #heardAt = 0;
  #behind = 0;
  #nextTry = 0;
  #ended = "";

  constructor(path, onMessage, onEnd) {
    this.url = new URL(path, location.href);
    this.url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    this.onMessage = onMessage;
    this.onEnd = onEnd;
    addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.#hurry(); });
    setInterval(() => this.#watch(), 1000);
    this.#open();
  }

  // What the reader has drawn; a portal that hears nothing waits with the rest and sends a snapshot later.
  acknowledge() {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#say({ type: "ack", seq: this.#seq });
  }

  // { status: live | behind | reconnecting | connecting | ended, seconds }
  status() {
    if (this.#ended) return { status: "ended", text: this.#ended };
    if (!this.#heardAt) return { status: this.#tries > 1 ? "reconnecting" : "connecting", seconds: 0 };
    const quiet = (Date.now() - this.#heardAt) / 1000;
    if (this.#socket?.readyState !== WebSocket.OPEN) return { status: "reconnecting", seconds: quiet };
    const seconds = this.#behind + Math.max(0, quiet - 3);
    return { status: seconds >= 2 ? "behind" : "live", seconds };
  }

  #open() {
    this.#tries += 1;
    const socket = new WebSocket(this.url);
    this.#socket = socket;
    socket.onopen = () => this.#say({ type: "resume", after: this.#cursor });
    socket.onmessage = (event) => { if (socket === this.#socket) this.#receive(JSON.parse(event.data)); };
    socket.onclose = (event) => { if (socket === this.#socket) this.#closed(event.code); };
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
    this.#heardAt = Date.now();
    this.#behind = message.behind;
    this.#seq = message.seq;
    this.#cursor = message.cursor;
    this.onMessage(message);
  }

  #closed(code) {
    this.#seq = 0;
    if (code === 4401 || code === 4403 || code === 4404) {
      this.#ended = { 4401: "logged out", 4403: "not allowed", 4404: "no such cell" }[code];
      this.onEnd(code);
      return;
    }
    const pause = Math.min(LONGEST_PAUSE, 250 * 2 ** this.#tries) * (0.7 + 0.6 * Math.random());
    this.#nextTry = Date.now() + pause;
    setTimeout(() => { if (this.#nextTry && Date.now() >= this.#nextTry - 5) this.#retry(); }, pause);
  }

  #retry() {
    this.#nextTry = 0;
    this.#open();
  }

  #hurry() {
    if (this.#nextTry && !this.#ended) this.#retry();
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
