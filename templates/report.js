// Filters, searches and copies. The page is whole without it: what it adds, it makes itself.
"use strict";
(() => {
  const controls = [...document.querySelectorAll(".control")];
  const section = document.getElementById("controls");
  const make = (tag, text, attributes = {}) => {
    const made = document.createElement(tag);
    made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  const labelled = (text, field) => {
    const label = make("label", text);
    label.append(field);
    return label;
  };
  document.documentElement.classList.add("scripted");

  // ------------------------------------------------------------------------------------------ filter and search

  const texts = new Map();
  const text = (control) => {
    if (!texts.has(control)) texts.set(control, control.textContent.toLowerCase());
    return texts.get(control);
  };
  const told = make("p", "", { role: "status", class: "told" });
  const search = make("input", "", { type: "search", id: "search", autocomplete: "off", spellcheck: "false" });
  const choices = ["status", "severity", "domain"].map((name) => {
    const select = make("select", "", { id: `filter-${name}` });
    select.append(make("option", "any", { value: "" }));
    for (const value of new Set(controls.map((control) => control.dataset[name]))) {
      select.append(make("option", value, { value }));
    }
    return { name, select };
  });
  const fits = (control, words) =>
    choices.every(({ name, select }) => !select.value || control.dataset[name] === select.value) &&
    words.every((word) => text(control).includes(word));
  const apply = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const control of controls) {
      control.hidden = !fits(control, words);
      shown += control.hidden ? 0 : 1;
    }
    for (const domain of section.querySelectorAll(".domain")) {
      domain.hidden = !domain.querySelector(".control:not([hidden])");
    }
    told.textContent = `${shown} of ${controls.length} controls`;
  };
  const open = (wanted) => {
    for (const control of controls) if (!control.hidden) control.querySelector("details").open = wanted;
  };
  const button = (words, act) => {
    const made = make("button", words, { type: "button" });
    made.addEventListener("click", act);
    return made;
  };
  const tools = make("div", "", { class: "tools", role: "search", "aria-label": "Controls" });
  tools.append(
    labelled("Search", search),
    ...choices.map(({ name, select }) => labelled(name[0].toUpperCase() + name.slice(1), select)),
    button("Show all", () => {
      search.value = "";
      for (const { select } of choices) select.value = "";
      apply();
    }),
    button("Open all", () => open(true)),
    button("Close all", () => open(false)),
    told,
  );
  search.addEventListener("input", apply);
  for (const { select } of choices) select.addEventListener("change", apply);
  section.querySelector(".domain")?.before(tools);
  apply();

  // ------------------------------------------------------------------------------------- what a link points to

  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const details = target?.matches(".control") ? target.querySelector("details") : null;
    if (!details) return;
    if (target.hidden) {
      search.value = "";
      for (const { select } of choices) select.value = "";
      apply();
    }
    details.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();

  // -------------------------------------------------------------------------------------------------------- copy

  const copied = async (words) => {
    try {
      await navigator.clipboard.writeText(words);
      return true;
    } catch {
      // Not everywhere may a page of a file write to the clipboard: then what is selected is copied.
      const selection = getSelection();
      return selection.toString() === words && document.execCommand("copy");
    }
  };
  for (const snippet of document.querySelectorAll(".snippet")) {
    const pre = snippet.querySelector("pre");
    const said = make("span", "", { role: "status" });
    const copy = button("Copy", async () => {
      getSelection().selectAllChildren(pre);
      said.textContent = (await copied(pre.textContent)) ? "Copied" : "Selected: copy it with the keyboard";
    });
    copy.setAttribute("aria-label", `Copy ${pre.getAttribute("aria-label")}`);
    snippet.querySelector("figcaption").append(copy, said);
  }
})();
