// Questions to the server. A turn is a wish of the user's: the answers to what was asked in an earlier one are dropped.

let turn = 0;
let last = Promise.resolve();

export function newTurn() {
  return ++turn;
}

export function isCurrent(mine) {
  return mine === turn;
}

export async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The server does not answer. Is the demo still running?");
  }
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(content.error || `The server answered ${answer.status}.`);
  return content;
}

// One question at a time; those that a later turn has made pointless are never sent. Null: it is no longer this turn.
export function inTurn(mine, path, body) {
  const headers = { "Content-Type": "application/json" };
  const answer = last.then(() =>
    isCurrent(mine) ? ask(path, { method: "POST", headers, body: JSON.stringify(body) }) : null,
  );
  last = answer.catch(() => null);
  return answer.then((content) => (isCurrent(mine) ? content : null));
}
