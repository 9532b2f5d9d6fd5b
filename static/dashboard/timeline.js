// Looks back: the cell as it was at an instant, from checkpoints and the event log; one key comes back.

const version = new URL(import.meta.url).search;
const { ask, setText } = await import(`./parts.js${version}`);
const when = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });
const WAIT = 140; // milliseconds that a slider stands still before the past is asked for

export class Timeline {
  #asked = 0;
  #timer = 0;

  constructor({ slider, said, live, box }, state, view, path, onMove) {
    Object.assign(this, { slider, said, live, box, state, view, path, onMove });
    slider.addEventListener("input", () => this.#drag());
    live.onclick = () => this.comeBack();
    setInterval(() => { if (!state.isPast) this.#say(); }, 1000);
    this.#say();
  }

  get span() { return Number(this.view.get("span")) * 1000; }

  #drag() {
    const share = Number(this.slider.value) / Number(this.slider.max);
    if (share >= 1) { this.comeBack(); return; }
    const at = new Date(Date.now() + this.state.skew - (1 - share) * this.span);
    setText(this.said, `${when.format(at)} …`);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.go(at.toISOString()), WAIT);
  }

  // Steps of a hundredth of the time that is looked at.
  step(by) {
    this.slider.value = String(Math.min(Number(this.slider.max), Math.max(0, Number(this.slider.value) + by)));
    this.#drag();
  }

  async go(at) {
    const mine = ++this.#asked;
    this.box.dataset.state = "asking";
    try {
      const message = await ask(`${this.path}?at=${encodeURIComponent(at)}`);
      if (mine !== this.#asked) return; // another instant was asked for meanwhile
      const past = this.state.lookBack(message);
      this.view.set({ at });
      this.#place(at);
      this.box.dataset.state = "past";
      this.live.hidden = false;
      this.#say();
      this.onMove(past);
    } catch (problem) {
      if (mine !== this.#asked) return;
      this.box.dataset.state = this.state.isPast ? "past" : "live";
      setText(this.said, problem.message);
    }
  }

  comeBack() {
    this.#asked += 1;
    clearTimeout(this.#timer);
    this.slider.value = this.slider.max;
    this.box.dataset.state = "live";
    this.live.hidden = true;
    this.view.set({ at: "" });
    const was = this.state.isPast;
    this.state.comeBack();
    this.#say();
    if (was) this.onMove(null);
  }

  #place(at) {
    const share = 1 - (Date.now() + this.state.skew - Date.parse(at)) / this.span;
    this.slider.value = String(Math.round(Math.max(0, Math.min(0.999, share)) * Number(this.slider.max)));
  }

  #say() {
    const words = this.state.isPast ? `as it was ${when.format(new Date(this.state.at))}` : "now";
    setText(this.said, words);
    this.slider.setAttribute("aria-valuetext", words);
  }
}
