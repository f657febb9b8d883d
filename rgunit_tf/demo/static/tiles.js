// Small pictures that are chosen by a click: the examples, the targets, the styles.

export function pick(source, alt, caption, act) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "pick" });
  button.setAttribute("aria-pressed", "false");
  button.append(Object.assign(new Image(), { src: source, alt }));
  if (caption) {
    const text = document.createElement("span");
    text.textContent = caption;
    button.append(text);
  }
  button.addEventListener("click", act);
  return button;
}

export function press(group, isPressed) {
  for (const button of group.children) button.setAttribute("aria-pressed", String(isPressed(button)));
}
