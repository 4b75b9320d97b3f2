// Starts a retrain, follows the job that runs, and keeps what the server rendered up to date.
const ACTIVE = ["queued", "running"];
const REFRESH_MS = 30_000;
const [form, problem, progress, status, steps, log] = ["retrain", "problem", "progress", "status", "steps", "log"].map(
  (id) => document.getElementById(id),
);
const button = form.querySelector("button");
const token = form.elements.namedItem("token");
let followed = null; // the id of the job whose events come in
let starting = false;
let refreshes = 0;

function setText(element, text) {
  // Setting an unchanged text would make a screen reader repeat it.
  if (element.textContent !== text) element.textContent = text;
}

function stepState(job, name) {
  const [at, here] = [...steps.children].map((item) => item.dataset.step).reduce(
    ([found, own], step, index) => [step === job.stage ? index : found, step === name ? index : own],
    [0, 0],
  );
  const ended = !ACTIVE.includes(job.state);
  const broken = job.state === "failed" || job.state === "interrupted";
  if (here === at && !ended) return "running";
  if (here === at && broken) return "ended here";
  if (name in job.seconds) return "done";
  if (here < at || (ended && !broken)) return "not needed";
  return ended ? "not reached" : "waiting";
}

function jobStatus(job) {
  if (ACTIVE.includes(job.state)) return `Running: ${job.stage ?? "preparing"}`;
  return `${job.state}: ${job.error ?? job.message ?? ""}`;
}

function show(job) {
  progress.hidden = steps.hidden = log.hidden = false;
  setText(status, jobStatus(job));
  for (const item of steps.children) {
    const state = stepState(job, item.dataset.step);
    const seconds = job.seconds[item.dataset.step];
    item.dataset.state = state;
    if (state === "running") item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
    setText(item.querySelector(".state"), state === "done" ? `${seconds.toFixed(1)} s` : state);
  }
  const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
  setText(log, job.log.join("\n"));
  if (atEnd) log.scrollTop = log.scrollHeight;
  document.getElementById("whole-log").href = `train/${job.id}/log`;
}

function follow(id) {
  if (!id || id === followed) return;
  followed = id;
  // Not `disabled`: that would take the focus from the button just pressed.
  button.setAttribute("aria-disabled", "true");
  const events = new EventSource(`train/${id}/events`);
  const stop = () => {
    events.close();
    followed = null;
    button.removeAttribute("aria-disabled");
  };
  events.addEventListener("job", (event) => {
    const job = JSON.parse(event.data);
    show(job);
    if (!ACTIVE.includes(job.state)) {
      stop();
      refresh();
    }
  });
  events.addEventListener("error", () => {
    // The browser reconnects after a lost connection, but not after a response that is not a stream.
    if (events.readyState === EventSource.CLOSED) stop();
  });
}

async function start() {
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token.value}`;
  const order = { keep_data: form.elements.keep_data.checked, all: form.elements.all.checked };
  const answer = await fetch("train", { method: "POST", headers, body: JSON.stringify(order) });
  const content = await answer.json().catch(() => ({}));
  if (token && answer.status === 401) {
    sessionStorage.removeItem("token");
    token.focus();
  } else if (token) {
    sessionStorage.setItem("token", token.value);
  }
  if (!answer.ok) setText(problem, content.detail ?? `The service answered ${answer.status}.`);
  follow(answer.ok ? content.id : content.job);
}

// Replaces the parts that the server renders differently now, and keeps the focus.
async function refresh() {
  const mine = ++refreshes;
  const text = await fetch("./").then((answer) => (answer.ok ? answer.text() : null), () => null);
  // A newer refresh has started since, so this answer is old.
  if (text === null || mine !== refreshes) return;
  const fresh = new DOMParser().parseFromString(text, "text/html");
  for (const part of document.querySelectorAll("[data-part]")) {
    const now = fresh.getElementById(part.id);
    if (!now || now.innerHTML === part.innerHTML) continue;
    const focused = part.contains(document.activeElement) && document.activeElement.getAttribute("href");
    part.replaceChildren(...now.childNodes);
    if (focused) part.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  }
  takeUp(fresh.querySelector("main"));
}

function takeUp(main) {
  follow(main.dataset.job);
  // The service has just started, and does not know the versions yet.
  if (main.dataset.answered === "no") setTimeout(refresh, 1000);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (starting || followed) return;
  starting = true;
  setText(problem, "");
  try {
    await start();
  } catch {
    setText(problem, "The service does not answer.");
  } finally {
    starting = false;
  }
});

if (token) token.value = sessionStorage.getItem("token") ?? "";
button.disabled = false;
takeUp(document.querySelector("main"));
setInterval(() => document.hidden || refresh(), REFRESH_MS);
document.addEventListener("visibilitychange", () => document.hidden || refresh());
