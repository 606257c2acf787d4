// What the page does beyond links and forms: sending with Enter, following the text, and where the focus goes.
"use strict";

(function () {
  const log = () => document.getElementById("log");
  const text = () => document.getElementById("text");
  const running = () => document.querySelector(".turn.live");
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let following = true;

  function grow(area) {
    area.style.height = "auto";
    area.style.height = Math.min(area.scrollHeight + 2, innerHeight * 0.4) + "px";
  }

  function follow(smooth) {
    if (log() && following) {
      scrollTo({ top: document.body.scrollHeight, behavior: smooth && !calm ? "smooth" : "auto" });
    }
  }

  function noteSending() {
    const send = document.querySelector("#composer .send");
    if (send) {
      send.disabled = Boolean(running());
    }
  }

  addEventListener("scroll", () => {
    following = innerHeight + scrollY > document.body.scrollHeight - 120;
  }, { passive: true });

  document.addEventListener("input", (event) => {
    if (event.target === text()) {
      grow(event.target);
    }
  });

  document.addEventListener("keydown", (event) => {
    const area = text();
    if (event.target === area && event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      if (area.value.trim() && !running()) {
        area.form.requestSubmit();
      }
    }
    if (event.key === "Escape" && running()) {
      running().querySelector(".stop").click();
    }
  });

  document.addEventListener("click", (event) => {
    const empties = event.target.closest && event.target.closest("[data-empty]");
    if (empties) {
      document.getElementById(empties.dataset.empty).replaceChildren();
    }
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) {
        menu.open = false;
      }
    }
  });

  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.target.id === "composer" && event.detail.successful) {
      const area = text();
      area.value = "";
      grow(area);
      history.replaceState(null, "", event.target.dataset.address);
    }
  });

  document.addEventListener("htmx:beforeRequest", () => {
    const alert = document.getElementById("alert");
    alert.replaceChildren();
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    const greeting = document.querySelector(".greeting");
    if (greeting && event.target === log()) {
      greeting.remove();
    }
  });

  document.addEventListener("htmx:afterSettle", (event) => {
    noteSending();
    const wanted = event.target.querySelector && event.target.querySelector("[data-focus]");
    if (wanted) {
      wanted.focus();
      wanted.setSelectionRange(wanted.value.length, wanted.value.length);
      return;
    }
    follow(true);
  });

  document.addEventListener("htmx:sseMessage", () => {
    noteSending();
    follow(false);
  });

  const wide = matchMedia("(min-width: 60rem)");
  const talks = document.getElementById("talks");
  if (talks) {
    talks.open = wide.matches;
    wide.addEventListener("change", () => { talks.open = wide.matches; });
  }
  noteSending();
  if (location.search.includes("at=")) {
    const shown = document.querySelector(".turn:last-of-type");
    if (shown) { shown.scrollIntoView({ block: "end" }); }
  } else {
    follow(false);
  }
})();
