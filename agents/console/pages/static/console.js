"use strict";
// Live pages, and the arrow keys in lists. Without this file the pages are as useful, only not live.
(() => {
  const SPACING = 1000; // ms between two looks, at least
  const OFTEN = 30000; // ms: leases end and times pass although nothing is told
  const live = document.getElementById("live");
  const news = document.getElementById("news");
  let last = "";
  let at = 0;
  let timer = 0;
  let busy = false;

  // Somebody writes there: their words must not be taken away.
  const written = () =>
    [...live.querySelectorAll("input:not([type=hidden]), textarea, select")].some((field) =>
      field === document.activeElement || (field.type === "checkbox"
        ? field.checked !== field.defaultChecked
        : field.options
          ? [...field.options].some((one) => one.selected !== one.defaultSelected)
          : field.value !== field.defaultValue));

  const marked = (element) => {
    if (!element || !live.contains(element)) return "";
    if (element.id) return `#${CSS.escape(element.id)}`;
    const name = element.tagName.toLowerCase();
    for (const key of ["href", "value"]) {
      const value = element.getAttribute(key);
      if (value) return `${name}[${key}="${CSS.escape(value)}"]`;
    }
    return "";
  };

  const put = (text) => {
    const open = [...live.querySelectorAll("details[id]")].map((one) => [one.id, one.open]);
    const focus = marked(document.activeElement);
    live.innerHTML = text;
    for (const [id, was] of open) {
      const one = document.getElementById(id);
      if (one) one.open = was;
    }
    if (focus) live.querySelector(focus)?.focus({ preventScroll: true });
    const said = live.querySelector("[data-news]")?.textContent.trim() ?? "";
    if (news && said !== news.textContent) news.textContent = said;
  };

  const look = async () => {
    timer = 0;
    if (busy) return soon();
    if (written() || document.hidden) return soon(2 * SPACING);
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { "X-Part": "live", Accept: "text/html" } });
      if (answer.status === 401 || answer.redirected) return location.reload();
      if (!answer.ok) throw new Error(answer.status);
      const text = await answer.text();
      if (text !== last && !written()) put(text);
      last = text;
      document.body.classList.remove("stale");
    } catch {
      document.body.classList.add("stale");
    } finally {
      busy = false;
      at = Date.now();
    }
  };

  // Not all who look on ask in the same moment.
  const soon = (wait = 0) => {
    if (timer) return;
    const spare = Math.max(0, at + SPACING - Date.now());
    timer = setTimeout(look, Math.max(wait, spare) + Math.random() * 300);
  };

  if (live && window.EventSource) {
    const events = new EventSource("/events");
    let first = true;
    events.addEventListener("change", () => {
      if (!first) soon();
      first = false;
    });
    events.addEventListener("error", () => {
      document.body.classList.add("stale");
      first = false; // who comes back has missed something
    });
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) soon();
    });
    setInterval(soon, OFTEN);
  }

  // In a list: up and down from link to link. Elsewhere the keys are the browser's own.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const row = event.target.closest(".rows tbody tr");
    if (!row || event.target.matches("input, select, textarea")) return;
    let next = row;
    do {
      next = event.key === "ArrowDown" ? next.nextElementSibling : next.previousElementSibling;
    } while (next && !next.querySelector("a"));
    if (next) {
      next.querySelector("a").focus();
      event.preventDefault();
    }
  });
})();
