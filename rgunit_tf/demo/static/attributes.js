// The form of the attributes: a group that excludes each other is a row of radio buttons, the others are switches.

const form = document.getElementById("attributes");
let names = [];
let groups = [];

export function words(name) {
  return name.replaceAll("_", " ");
}

export function listed(some) {
  return some.map(words).join(", ") || "none of these";
}

export function chosen() {
  const inputs = form.querySelectorAll("input:checked");
  return [...inputs].map((input) => input.value).filter(Boolean);
}

const groupOf = (name) => groups.find((group) => group.includes(name));

// What was switched between two sets of attributes, and what was left, in words: "Black Hair instead of Blond Hair".
export function switched(seen, wanted) {
  const changes = [];
  for (const name of names) {
    const other = (set) => groupOf(name)?.find((member) => set.includes(member));
    if (wanted.includes(name) && !seen.includes(name)) {
      const old = other(seen);
      changes.push(old ? `${words(name)} instead of ${words(old)}` : groupOf(name) ? words(name) : `${words(name)} on`);
    } else if (seen.includes(name) && !wanted.includes(name) && !other(wanted)) {
      changes.push(groupOf(name) ? `no ${words(name)}` : `${words(name)} off`);
    }
  }
  const touched = (name) => seen.includes(name) !== wanted.includes(name);
  const kept = names.filter((name) => !(groupOf(name) || [name]).some(touched));
  const stays = kept.filter((name) => wanted.includes(name)).map(words);
  const off = kept.filter((name) => !groupOf(name) && !wanted.includes(name)).map((name) => `not ${words(name)}`);
  return { changes: changes.join(", "), stays: [...stays, ...off].join(", ") };
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
  ({ names, groups } = attributes);
  const sets = groups.map((group, number) => {
    const choices = group.map((name) => choice("radio", `group-${number}`, name, words(name)));
    if (!categorical) choices.push(choice("radio", `group-${number}`, "", "None of these"));
    return fieldset(`One of ${group.map(words).join(", ")}`, choices);
  });
  const free = names.filter((name) => !groupOf(name));
  if (free.length) sets.push(fieldset("On or off", free.map((name) => choice("checkbox", name, name, words(name)))));
  form.replaceChildren(...sets);
}

export function preset(wanted) {
  for (const input of form.querySelectorAll("input")) {
    const others = groups[Number(input.name.replace("group-", ""))] || [];
    input.checked = input.value ? wanted.includes(input.value) : !others.some((name) => wanted.includes(name));
  }
}
