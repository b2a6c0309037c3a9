"use strict";
const byId = (id) => document.getElementById(id);
const PATIENCE_MS = 1500;
const audio = byId("audio");
const sounds = new Map(); // by number of the clip: a promise of the address of its sound, or of the state without it
const judged = JSON.parse(sessionStorage.getItem("judged") || "[]"); // numbers of clips, the last one last
let state = JSON.parse(byId("state").textContent);
let busy = false;
let heard = false;
let knownLost = 0;

function notice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = !text;
}

function set(values) {
  ({ busy = busy, heard = heard } = values);
  byId("labels").setAttribute("aria-busy", busy || !heard);
}

// Repeat a request until it is answered; a keystroke has an id, so that it is kept once.
async function answered(address, options) {
  for (let wait = 250; ; wait = Math.min(2 * wait, 4000)) {
    let reason = "the program does not answer; is it still running?";
    try {
      const response = await fetch(address, options);
      if (response.ok || response.status === 410) {
        notice("");
        return response;
      }
      reason = response.status === 503 ? (await response.json()).error : `the program refused it (${response.status})`;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
    notice(`${options ? "This judgement is not saved yet" : "The clip is not there yet"}: ${reason} Trying again.`);
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

function post(address, value) {
  const headers = { "Content-Type": "application/json" };
  return answered(address, { method: "POST", headers, body: JSON.stringify(value) });
}

async function load(number) {
  const response = await answered(`clips/${number}`);
  return response.ok ? { address: URL.createObjectURL(await response.blob()) } : { instead: await response.json() };
}

function sound(number) {
  if (!sounds.has(number)) sounds.set(number, load(number));
  return sounds.get(number);
}

function forget(kept) {
  for (const [number, loading] of sounds) {
    if (kept.includes(number)) continue;
    sounds.delete(number);
    loading.then(({ address }) => address && URL.revokeObjectURL(address));
  }
}

function play() {
  audio.currentTime = 0;
  audio.play().catch((error) => {
    if (!["AbortError", "NotAllowedError"].includes(error.name)) notice(`The clip cannot be played: ${error.message}`);
  });
}

// Browsers play nothing by themselves before the first key or touch; some do not say so.
function playByItself() {
  const { clip } = state;
  play();
  setTimeout(() => {
    if (!heard && clip === state.clip) notice("Press space, or touch play, to hear the clip.");
  }, PATIENCE_MS);
}

function said({ digits, is_withheld }) {
  const [first, ...others] = digits.map(([digit, probability]) => `${digit} (${(100 * probability).toFixed(1)}%)`);
  return `${first}, then ${others.join(" and ")}${is_withheld ? "; the label is withheld" : ""}`;
}

function render() {
  const { clip, judged: count, total, lost, last } = state;
  const ended = clip === null;
  byId("progress").textContent = ended ? `${count} of ${total} judged` : `${count + lost.length + 1} of ${total}`;
  byId("bar").value = count + lost.length;
  byId("hearing").hidden = byId("play").hidden = byId("model").hidden = ended;
  byId("finished").hidden = !ended;
  byId("result").textContent = lost.length ? `All clips are judged but ${lost.length}.` : "All clips are judged.";
  byId("answer").textContent = "";
  const remarks = [];
  if (last) {
    const label = last.label === "no_digit" ? "no digit" : last.label;
    remarks.push(`Last clip, ${last.file}: you heard ${label}. The model: ${said(last)}.`);
  } else if (last === null) remarks.push("Taken back.");
  for (const text of lost.slice(knownLost)) remarks.push(`Left out: ${text}.`);
  knownLost = lost.length;
  byId("last").textContent = remarks.join(" ");
  byId("lost").hidden = !lost.length;
  byId("lost").querySelector("summary").textContent = `Clips that cannot be heard: ${lost.length}`;
  byId("lost").querySelector("ul").replaceChildren(
    ...lost.map((text) => Object.assign(document.createElement("li"), { textContent: text })),
  );
}

async function show(next) {
  state = next;
  set({ heard: false });
  audio.pause();
  render();
  if (state.clip === null) {
    byId("end").focus();
    set({ busy: false });
    return;
  }
  const { address, instead } = await sound(state.clip);
  if (instead) {
    sounds.delete(state.clip);
    await show(instead);
    return;
  }
  audio.src = address;
  set({ busy: false });
  playByItself();
  if (state.then !== null) sound(state.then);
  forget([state.clip, state.then]);
}

async function judge(label) {
  if (busy || state.clip === null) return;
  if (!heard) {
    play();
    return;
  }
  set({ busy: true });
  const clip = state.clip;
  const response = await post("judgements", { id: crypto.randomUUID(), clip, label });
  judged.push(clip);
  sessionStorage.setItem("judged", JSON.stringify(judged));
  await show(await response.json());
}

async function undo() {
  if (busy || !judged.length) return;
  set({ busy: true });
  const response = await post("judgements", { id: crypto.randomUUID(), clip: judged.at(-1), label: null });
  judged.pop();
  sessionStorage.setItem("judged", JSON.stringify(judged));
  await show({ ...(await response.json()), last: null });
}

async function ask() {
  const { clip } = state;
  if (busy || clip === null) return;
  const answer = await (await answered(`clips/${clip}/model`)).json();
  if (clip === state.clip) byId("answer").textContent = `The model: ${said(answer)}.`;
}

async function end() {
  await post("end", {});
  document.querySelector("main").replaceChildren(
    Object.assign(document.createElement("p"), { textContent: "The program has ended. This page can be closed." }),
  );
}

const keys = { " ": play, Backspace: undo, m: ask, x: () => judge("no_digit") };
for (const digit of "0123456789") keys[digit] = () => judge(digit);

addEventListener("keydown", (event) => {
  const action = keys[event.key];
  if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  if (!event.repeat) action();
});
// A button that has the focus is pressed by enter; space plays.
addEventListener("keyup", (event) => event.key === " " && event.preventDefault());
for (const button of document.querySelectorAll("[data-label]")) {
  button.addEventListener("click", () => judge(button.dataset.label));
}
byId("play").addEventListener("click", play);
byId("undo").addEventListener("click", undo);
byId("model").addEventListener("click", ask);
byId("end").addEventListener("click", end);
audio.addEventListener("playing", () => {
  set({ heard: true });
  notice("");
  byId("play").dataset.playing = "";
});
for (const type of ["ended", "pause"]) audio.addEventListener(type, () => delete byId("play").dataset.playing);
addEventListener("beforeunload", (event) => busy && event.preventDefault());
set({ busy: true });
show(state);
