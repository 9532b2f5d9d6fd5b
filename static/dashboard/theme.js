// Light, dark, or as the system has it. Kept under the admin's own key, so that one choice counts for both.
// Not a module: it runs before the page is drawn, so that no page flashes in the wrong colours.

(() => {
  const KEY = "theme";
  const ORDER = ["auto", "light", "dark"];
  const WORDS = { auto: "as the system has it", light: "light", dark: "dark" };
  const read = () => {
    try { return ORDER.includes(localStorage.getItem(KEY)) ? localStorage.getItem(KEY) : "auto"; } catch { return "auto"; }
  };
  const put = (theme) => {
    document.documentElement.dataset.theme = theme;
    const button = document.getElementById("theme");
    if (!button) return;
    button.textContent = { auto: "◐", light: "☀", dark: "☾" }[theme];
    button.title = `Colours: ${WORDS[theme]}`;
    button.setAttribute("aria-label", `Colours: ${WORDS[theme]}. Change`);
  };
  put(read());
  document.addEventListener("DOMContentLoaded", () => {
    put(read());
    document.getElementById("theme")?.addEventListener("click", () => {
      const next = ORDER[(ORDER.indexOf(read()) + 1) % ORDER.length];
      try { localStorage.setItem(KEY, next); } catch { /* no storage: it lasts as long as the page */ }
      put(next);
      dispatchEvent(new Event("theme"));
    });
  });
  addEventListener("storage", (event) => { if (event.key === KEY) { put(read()); dispatchEvent(new Event("theme")); } });
})();
