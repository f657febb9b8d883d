// The form of the attributes: a group that excludes each other is a row of radio buttons, the others are switches.

const form = document.getElementById("attributes");
let groups = [];

export function words(name) {
  return name.replaceAll("_", " ");
}

export function chosen() {
  const inputs = form.querySelectorAll("input:checked");
  return [...inputs].map((input) => input.value).filter(Boolean);
}

export function target() {
  return chosen().map(words).join(", ") || "none of these";
}

function choice(type, name, value, label) {
  const box = document.createElement("label");
  box.className = type === "radio" ? "choice" : "choice switch";
  const input = Object.assign(document.createElement("input"), { type, name, value });
  if (type === "checkbox") input.setAttribute("role", "switch");
  const text = document.createElement("span");
  text.textContent = label;
  box.append(input, text);
  return box;
}

function fieldset(label, choices) {
  const set = document.createElement("fieldset");
  const legend = document.createElement("legend");
  legend.className = "hidden";
  legend.textContent = label;
  set.append(legend, ...choices);
  return set;
}

export function make(attributes, categorical) {
  groups = attributes.groups;
  const sets = groups.map((group, number) => {
    const choices = group.map((name) => choice("radio", `group-${number}`, name, words(name)));
    if (!categorical) choices.push(choice("radio", `group-${number}`, "", "None of these"));
    return fieldset(`One of ${group.map(words).join(", ")}`, choices);
  });
  const free = attributes.names.filter((name) => !groups.flat().includes(name));
  if (free.length) sets.push(fieldset("On or off", free.map((name) => choice("checkbox", name, name, words(name)))));
  form.replaceChildren(...sets);
}

export function preset(names) {
  for (const input of form.querySelectorAll("input")) {
    const others = groups[Number(input.name.replace("group-", ""))] || [];
    input.checked = input.value ? names.includes(input.value) : !others.some((name) => names.includes(name));
  }
}
